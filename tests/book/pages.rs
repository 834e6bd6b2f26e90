//! Pages and links.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use crate::{files, read, root};

/// `[words](target)`, pictures too.
static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").unwrap());

/// Every page that people read: the book, and what stands beside it.
fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        ["docs", "charts", "examples"].iter().flat_map(|folder| files(&root().join(folder), "md")).collect();
    found.extend(["README.md", "CHANGELOG.md", "SECURITY.md"].map(|name| root().join(name)));
    found
}

/// Without what is code and not prose.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    Regex::new("`[^`]*`").unwrap().replace_all(&lines.collect::<Vec<_>>().join("\n"), "").into_owned()
}

/// What a heading is called in a link: GitHub and mdBook agree on words of letters, digits and hyphens.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !fenced) {
            let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            found
                .insert(heading.chars().filter(|one| one.is_alphanumeric() || "-_".contains(*one)).collect());
        }
    }
    found
}

/// A path without `..`, as a link means it.
fn resolved(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts
}

/// What is wrong with a link of a page.
fn broken(page: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { page.to_owned() } else { resolved(&page.parent().unwrap().join(path)) };
    if !file.starts_with(root()) || !file.exists() {
        return Some(format!("{}: {target} is not there", page.display()));
    }
    let known = anchor.is_empty()
        || file.extension().is_none_or(|one| one != "md")
        || anchors(&read(&file)).contains(anchor);
    (!known).then(|| format!("{}: {target}: there is no such heading", page.display()))
}

#[test]
fn every_page_is_in_the_book_once() {
    let docs = root().join("docs");
    let summary = read(&docs.join("SUMMARY.md"));
    let listed: Vec<&str> = LINK.captures_iter(&summary).map(|link| link.get(1).unwrap().as_str()).collect();
    let pages = files(&docs, "md");
    let pages = pages.iter().map(|page| page.strip_prefix(&docs).unwrap().to_str().unwrap());
    let pages: BTreeSet<&str> = pages.filter(|page| *page != "SUMMARY.md").collect();
    assert_eq!(
        listed.iter().copied().collect::<BTreeSet<_>>(),
        pages,
        "docs/SUMMARY.md lists other pages than there are"
    );
    assert_eq!(listed.len(), pages.len(), "docs/SUMMARY.md lists a page twice");
    for page in pages {
        assert!(read(&docs.join(page)).starts_with("# "), "{page} has no title");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in documents() {
        let text = prose(&read(&page));
        for link in LINK.captures_iter(&text) {
            seen += 1;
            wrong.extend(broken(&page, &link[1]));
        }
    }
    assert!(seen > 100, "links are not found any more");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = root().join("docs/concepts.md");
    assert_eq!(broken(&page, "catalog.md"), None);
    assert_eq!(broken(&page, "install.md#break-glass"), None);
    assert!(broken(&page, "catalogue.md").unwrap().contains("not there"));
    assert!(broken(&page, "install.md#break-the-glass").unwrap().contains("no such heading"));
    assert!(broken(&page, "../../elsewhere.md").is_some());
}

/// A page is read in a browser, in an editor and by a screen reader.
#[test]
fn pictures_are_used_and_say_what_they_show() {
    let pages: String = documents().iter().map(|page| read(page)).collect();
    for picture in files(&root().join("docs"), "svg") {
        let name = picture.file_name().unwrap().to_str().unwrap();
        let text = Regex::new(&format!(r"!\[[^\]]{{40,}}\]\(pictures/{}\)", regex::escape(name))).unwrap();
        assert!(text.is_match(&pages), "{name} is not shown, or nothing is said in its place");
        let picture = read(&picture);
        assert!(
            picture.contains("<title") && picture.contains("<desc") && picture.contains("role=\"img\""),
            "{name}"
        );
        assert!(
            !picture.contains("http://") || picture.matches("http").count() == 1,
            "{name} loads something"
        );
    }
}
