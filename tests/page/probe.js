// Runs beside the page, which is in a frame and lets no script run, and writes what it measures into its own document.
const frame = document.querySelector('iframe');
frame.addEventListener('load', () => {
  const window = frame.contentWindow;
  const document = frame.contentDocument;
  const getComputedStyle = (element) => window.getComputedStyle(element);
  const channels = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const luminance = (text) => {
    const [r, g, b] = channels(text).slice(0, 3).map((one) => {
      const part = one / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const isOpaque = (colour) => {
    const all = channels(colour);
    return all.length === 3 || all[3] === 1;
  };
  // What lies behind a text. Letters on the map have an edge, which is behind them wherever they are.
  const behind = (element) => {
    if (element.closest('svg')) return getComputedStyle(element).stroke;
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (isOpaque(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const faint = [];
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || ['SCRIPT', 'STYLE', 'title'].includes(element.tagName) || !seen(element)) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const colour = element.closest('svg') ? style.fill : style.color;
    const ratio = contrast(colour, behind(element));
    if (!(ratio >= 4.5) || !isOpaque(colour)) faint.push(`${ratio.toFixed(2)} ${element.tagName} ${text.slice(0, 40)}`);
  }
  const root = document.documentElement;
  // What is clipped at the edge of the window, and in nothing that scrolls.
  const wide = [...document.body.querySelectorAll('*')].filter((element) => {
    const box = element.getBoundingClientRect();
    return !element.closest('.wide, svg, .skip') && box.right > root.clientWidth + 1;
  });
  const measured = {
    width: window.innerWidth,
    scrolls: root.scrollWidth,
    wide: wide.map((element) => `${element.tagName} ${element.textContent.slice(0, 40)}`),
    texts,
    faint,
    asked: window.performance.getEntriesByType('resource').map((entry) => entry.name),
    headings: [...document.querySelectorAll('h1, h2')].filter(seen).map((element) => element.innerText),
    numbers: Object.fromEntries(
      [...document.querySelectorAll('.numbers div')].map((box) => box.innerText.trim().split(/\n+/)),
    ),
    maps: [...document.querySelectorAll('svg.map')].filter((map) => map.getBoundingClientRect().width > 200).length,
    title: document.title,
    text: document.body.innerText,
  };
  frame.ownerDocument.documentElement.setAttribute('data-measured', encodeURIComponent(JSON.stringify(measured)));
});
