//! What `cluster::load` makes of good input and of bad input.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use domicile::cluster::Loaded;
use domicile::cluster::load::{Limits, read};
use domicile::objects::Object;

/// Reads one text as a file of this name.
fn load_as(name: &str, text: impl AsRef<[u8]>) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    let mut loaded = read(&[file], &mut Cursor::new(""), Limits::default());
    for error in &mut loaded.errors {
        error.message = error.message.replace(&format!("{}/", folder.path().display()), "");
    }
    loaded
}

fn load(text: impl AsRef<[u8]>) -> Loaded {
    load_as("app.yaml", text)
}

/// `Kind namespace/name:line` of everything read.
fn names(loaded: &Loaded) -> Vec<String> {
    loaded.objects.iter().map(|s| format!("{}:{}", s.object.reference(), s.source.line)).collect()
}

/// `line: message` of every error.
fn errors(loaded: &Loaded) -> Vec<String> {
    loaded.errors.iter().map(|e| format!("{}: {}", e.line.unwrap_or_default(), e.message)).collect()
}

fn good(text: impl AsRef<[u8]>) -> Vec<String> {
    let loaded = load(text);
    assert_eq!(errors(&loaded), Vec::<String>::new());
    names(&loaded)
}

/// One error at this line, which says this; and whatever else there is in the file is still read.
fn bad(text: impl AsRef<[u8]>, line: usize, says: &str) {
    let mut with_neighbour = text.as_ref().to_vec();
    with_neighbour.extend_from_slice(b"\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: neighbour}\n");
    let loaded = load(&with_neighbour);
    let errors = errors(&loaded);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].starts_with(&format!("{line}: ")), "line {line} expected in {errors:#?}");
    assert!(errors[0].contains(says), "{says:?} expected in {errors:#?}");
    assert!(names(&loaded).iter().any(|name| name.contains("neighbour")), "the neighbour is missing");
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";

#[test]
fn good_input() {
    let second = POD.replace("name: a", "name: b");
    for (what, text, expected) in [
        ("one document", POD.to_owned(), vec!["Pod default/a:1"]),
        ("markers with comments", format!("--- # one\n{POD}--- # two\n# more\n\n{second}"), vec!["Pod default/a:2", "Pod default/b:8"]),
        ("empty documents", format!("---\n---\n# only a comment\n---\n\n{POD}---\n"), vec!["Pod default/a:6"]),
        ("an end marker", format!("{POD}...\n{second}...\n"), vec!["Pod default/a:1", "Pod default/b:5"]),
        ("an end marker and a new document", format!("{POD}...\n---\n{second}"), vec!["Pod default/a:1", "Pod default/b:6"]),
        ("a directive", format!("%YAML 1.2\n---\n{POD}"), vec!["Pod default/a:3"]),
        ("a directive after a document", format!("{POD}...\n%YAML 1.2\n# c\n---\n{second}"), vec!["Pod default/a:1", "Pod default/b:8"]),
        ("a byte order mark", format!("\u{feff}{POD}"), vec!["Pod default/a:1"]),
        ("a byte order mark and a marker", format!("\u{feff}---\n{POD}"), vec!["Pod default/a:2"]),
        ("Windows line ends", format!("---\n{POD}---\n{second}").replace('\n', "\r\n"), vec!["Pod default/a:2", "Pod default/b:6"]),
        ("content beside the marker", "--- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n".to_owned(), vec!["Pod default/a:1"]),
        ("a marker inside a block", format!("{POD}  \nspec:\n  note: |\n    --- x\n    ---\n"), vec!["Pod default/a:1"]),
        ("YAML in braces", "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n".to_owned(), vec!["Pod default/a:1"]),
        ("YAML in braces with quoted keys", "{\"apiVersion\": v1, \"kind\": Pod, \"metadata\": {name: a}}\n".to_owned(), vec!["Pod default/a:1"]),
        ("JSON", r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}"#.to_owned(), vec!["Pod default/a:1"]),
        ("JSON, one after the other", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\n\"metadata\":{\"name\":\"a\"}}\n\n{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n\"}}".to_owned(), vec!["Pod default/a:1", "Node/n:4"]),
        ("JSON lines without a break", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n\"}}".to_owned(), vec!["Pod default/a:1", "Node/n:1"]),
        ("JSON between markers", format!("---\n{{\"apiVersion\":\"v1\",\"kind\":\"Node\",\n\"metadata\":{{\"name\":\"n\"}}}}\n---\n{POD}"), vec!["Node/n:2", "Pod default/a:5"]),
        ("a list", "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a, namespace: shop}\n# between\n- kind: Node\n  apiVersion: v1\n  metadata: {name: node}\nkind: List\n".to_owned(), vec!["Pod shop/a:3", "Node/node:7"]),
        ("a list in a list", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n  - {apiVersion: v1, kind: Pod, metadata: {name: a}}\n  - {apiVersion: v1, kind: PodList, items: [{metadata: {name: b}}]}\n".to_owned(), vec!["Pod default/a:4", "Pod default/b:4"]),
        ("a spec of nothing", format!("{POD}spec:\n"), vec!["Pod default/a:1"]),
        ("an empty list", "apiVersion: v1\nkind: List\nitems: []\n".to_owned(), vec![]),
        ("a list of nothing", "apiVersion: v1\nkind: List\nitems:\n".to_owned(), vec![]),
        ("a typed list whose items do not say what they are", "---\napiVersion: v1\nitems:\n  - metadata: {name: a}\n  - metadata: {name: b}\nkind: PodList\n".to_owned(), vec!["Pod default/a:4", "Pod default/b:5"]),
        ("a typed list of our own", "apiVersion: domicile.dev/v1alpha1\nkind: ResidencyPolicyList\nitems:\n- metadata: {name: p}\n  spec: {classifications: [personal], allow: [{jurisdictions: [DE]}]}\n".to_owned(), vec!["ResidencyPolicy/p:4"]),
        ("a list in JSON", "{\n \"apiVersion\": \"v1\",\n \"items\": [\n  {\"kind\": \"Pod\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"a\", \"annotations\": {\"x\": \"[\\\"{,\\n\"}}},\n  {\n   \"kind\": \"Pod\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"b\"}}\n ],\n \"kind\": \"List\"\n}\n{\"apiVersion\":\"v1\",\"kind\":\"NodeList\",\"items\":[\n{\"metadata\":{\"name\":\"n\"}}]}".to_owned(), vec!["Pod default/a:4", "Pod default/b:5", "Node/n:11"]),
        ("an octal number", format!("{POD}spec:\n  volumes:\n  - name: v\n    configMap: {{name: c, defaultMode: 0644}}\n"), vec!["Pod default/a:1"]),
        ("a tab inside a string", format!("{POD}spec:\n  nodeName: \"x\ty\"\n"), vec!["Pod default/a:1"]),
        ("a name that is made later, twice", "apiVersion: v1\nkind: Pod\nmetadata: {generateName: job-}\n---\napiVersion: v1\nkind: Pod\nmetadata: {generateName: job-}\n".to_owned(), vec!["Pod default/job-*:1", "Pod default/job-*:5"]),
    ] {
        assert_eq!(good(&text), expected, "{what}");
    }
}

#[test]
fn utf_16_as_powershell_writes_it() {
    let little: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(POD.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let big: Vec<u8> =
        [0xfe, 0xff].into_iter().chain(POD.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    assert_eq!(good(little), ["Pod default/a:1"]);
    assert_eq!(good(big), ["Pod default/a:1"]);
}

#[test]
fn anchors_aliases_and_merge_keys() {
    let loaded = load(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: &labels {app: shop}\nspec:\n  nodeSelector:\n    <<: *labels\n    zone: z\n",
    );
    assert_eq!(errors(&loaded), Vec::<String>::new());
    let Object::Pod(pod) = &loaded.objects[0].object else { panic!("a pod is expected") };
    assert_eq!(pod.metadata.labels["app"], "shop");
    assert_eq!(pod.spec.node_selector["app"], "shop");
    assert_eq!(pod.spec.node_selector["zone"], "z");
}

/// kubectl takes the later of two, others the one that is written out.
#[test]
fn a_merge_key_that_brings_what_is_there_already_is_an_error() {
    let pod = |metadata: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {metadata}\n");
    let personal = "annotations: {domicile.dev/data-classification: personal}";
    for text in [
        pod(&format!("{{name: x, annotations: {{}}, <<: {{{personal}}}}}")),
        pod(&format!("{{<<: {{{personal}}}, name: x, annotations: {{}}}}")),
        pod(&format!("{{name: x, <<: [{{annotations: {{}}}}, {{{personal}}}]}}")),
        pod(&format!("{{name: x, <<: {{annotations: {{}}, <<: {{{personal}}}}}}}")),
        format!("<<: {{kind: Pod}}\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x, {personal}}}\n"),
        "apiVersion: v1\nkind: List\nitems: []\n<<: {items: [{apiVersion: v1, kind: Pod, metadata: {name: x}}]}\n".into(),
    ] {
        let loaded = load(text.clone());
        assert!(loaded.objects.is_empty(), "{text}");
        let errors = errors(&loaded);
        assert!(errors.len() == 1 && errors[0].contains("by a merge (`<<`)"), "{text}: {errors:?}");
    }
    let twice = pod(&format!("{{name: x, <<: {{annotations: {{}}}}, <<: {{{personal}}}}}"));
    let loaded = load(twice);
    assert!(loaded.objects.is_empty());
    assert_eq!(errors(&loaded), ["3: the key `<<` stands twice in the same map: remove one of them"]);
}

/// kubectl ends a line at these, also that of a comment.
#[test]
fn a_character_at_which_only_some_end_a_line_is_an_error() {
    for odd in ['\u{85}', '\u{2028}', '\u{2029}'] {
        for text in [
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec:\n  containers: [] # c{odd}  nodeName: vir\n"
            ),
            format!("# all comment{odd}apiVersion: v1\n"),
            format!("{{apiVersion: v1, kind: Pod, metadata: {{name: \"a{odd}b\"}}}}\n"),
        ] {
            let loaded = load(text.clone());
            assert!(loaded.objects.is_empty(), "{text}");
            let errors = errors(&loaded);
            let code = format!("U+{:04X} stands here", u32::from(odd));
            assert!(errors.len() == 1 && errors[0].contains(&code), "{text}: {errors:?}");
        }
        let json = format!(
            "{{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {{\"name\": \"x\", \"annotations\": {{\"a\": \"{odd}\"}}}}}}"
        );
        assert_eq!(load(json).objects.len(), 1, "JSON has no such lines");
    }
}

#[test]
fn kinds_that_judgement_does_not_need_are_counted() {
    let loaded = load(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\napiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nmetadata: {name: c}\n",
    );
    assert!(loaded.objects.is_empty() && loaded.errors.is_empty());
    assert_eq!(loaded.skipped["v1 ConfigMap"], 2);
    assert_eq!(loaded.skipped["batch.volcano.sh/v1alpha1 Job"], 1);
}

#[test]
fn bad_input() {
    // Two countries that YAML reads as something else.
    let norway = "apiVersion: domicile.dev/v1alpha1\nkind: ResidencyPolicy\nmetadata: {name: p}\nspec:\n  classifications: [personal]\n  allow:\n  - jurisdictions: [NO]\n";
    for (text, line, says) in [
        (format!("# c\n{POD}spec: [\n"), 5, "unclosed bracket"),
        (format!("{POD}spec:\n  a: b: c\n"), 5, ""),
        (format!("{POD}spec:\n\tnodeName: x\n"), 5, "tab"),
        (format!("\n{POD}spec: {{nodeName: [x]}}\n"), 2, "Pod: spec.nodeName: invalid type: sequence"),
        (format!("{POD}spec: {{nodeSelector: {{gpu: true}}}}\n"), 1, "spec.nodeSelector.gpu: invalid type: boolean `true`, expected a string. YAML reads a bare NO"),
        (format!("{POD}spec: {{nodeSelector: {{gpu: 1}}}}\n"), 1, "put it in quotes"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: n}\n".to_owned(), 1, "boolean `false`, expected a string. YAML reads a bare NO, n, yes, y,"),
        (norway.to_owned(), 1, "spec.allow[0].jurisdictions[0]: invalid type: boolean `false`, expected a string. YAML reads a bare NO"),
        ("apiVersion: v1\nkind: pod\nmetadata: {name: a}\n".to_owned(), 1, "Kubernetes has no pod in v1: write apiVersion: v1, kind: Pod"),
        ("apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\nspec: {}\n".to_owned(), 1, "write apiVersion: apps/v1, kind: Deployment"),
        ("apiVersion: v1\nkind: Job\nmetadata: {name: a}\nspec: {}\n".to_owned(), 1, "write apiVersion: batch/v1, kind: Job"),
        (format!("{POD}spec: {{volumes: [{{name: v, emptyDir: {{}}, persistentVolumeClaim: {{claimName: c}}}}]}}\n"), 1, "Pod: spec.volumes[0]: more than one source"),
        (format!("{POD}spec: text\n"), 1, "Pod: spec: invalid type: string \"text\", expected a map"),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n".to_owned(), 1, "Deployment: missing field `spec`"),
        ("apiVersion: domicile.dev/v1\nkind: ResidencyPolicy\nmetadata: {name: p}\n".to_owned(), 1, "domicile.dev/v1 ResidencyPolicy is not known"),
        ("apiVersion: domicile.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\n".to_owned(), 1, "domicile.dev/v1alpha1 Policy is not known"),
        ("apiVersion: domicile.dev/v1alpha1\nkind: ResidencyPolicy\nmetadata: {name: p}\nspec: {classification: [a]}\n".to_owned(), 1, "unknown field `classification`"),
        (format!("{POD}---\n{POD}"), 5, "Pod default/a stands here and in "),
        (format!("{POD}---\napiVersion: v1\nkind: Pod\nmetadata: {{name: a, namespace: default}}\n"), 5, "app.yaml:1: remove one of them"),
        (format!("{POD}kind: Pod\n"), 4, "kind"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    x: y\n    x: z\n".to_owned(), 7, "stands twice"),
        ("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\n\"metadata\":{\"name\":\"a\",\n\"name\":\"b\"}}".to_owned(), 3, "the key `name` stands twice"),
        ("{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\n\"kind\":\"Pod\"}]}".to_owned(), 3, "the key `kind` stands twice"),
        ("{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[],\n\"items\":[]}".to_owned(), 2, "the key `items` stands twice"),
        ("{\"apiVersion\":\"v1\",\n\"kind\":\"Pod\",".to_owned(), 3, "not JSON: EOF"),
        ("- apiVersion: v1\n".to_owned(), 1, "expected a Kubernetes object"),
        ("just words\n".to_owned(), 1, "expected a Kubernetes object"),
        ("a: b\n".to_owned(), 1, "not a Kubernetes object: `apiVersion` and `kind` are needed"),
        ("apiVersion: 1\nkind: Pod\n".to_owned(), 1, "not a Kubernetes object"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}\n".to_owned(), 1, "Pod: metadata.name is missing"),
        ("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n- x: y\n".to_owned(), 7, "not a Kubernetes object"),
        ("items: [{metadata: {name: a}}]\n".to_owned(), 1, "a list without `kind`"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Values.name }}}\n".to_owned(), 3, "Helm template"),
        ("apiVersion: v1\nkind: Pod\nmetadata: *nothing\n".to_owned(), 3, ""),
    ] {
        bad(&text, line, says);
    }
}

#[test]
fn alias_bomb() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let above = format!("*a{}", level - 1);
        let line = format!("a{level}: &a{level} [{}]\n", [above.as_str(); 10].join(", "));
        bomb.push_str(&line);
    }
    let loaded = load(bomb);
    assert_eq!(loaded.errors.len(), 1);
    let message = &loaded.errors[0].message;
    assert!(message.starts_with("its anchors and aliases stand for more than 1000000 values"), "{message}");
}

#[test]
fn an_anchor_that_holds_itself() {
    let loaded = load("apiVersion: v1\nkind: ConfigMap\nmetadata: &m {name: x, labels: *m}\n");
    assert_eq!(loaded.errors.len(), 1);
    assert_eq!(
        loaded.errors[0].message,
        "an anchor stands for something that holds the anchor's own alias: write it out"
    );
}

#[test]
fn one_anchor_in_many_places() {
    let aliases = "- *labels\n".repeat(5_000);
    assert_eq!(good(format!("{POD}labels: &labels {{app: shop}}\nlist:\n{aliases}")), ["Pod default/a:1"]);
}

#[test]
fn depth_is_bounded() {
    for text in [format!("{POD}spec: {}", "[".repeat(100_000)), format!("{{spec: {}", "[".repeat(100_000))] {
        let errors = errors(&load(text));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("nested more than 128 levels"), "{errors:?}");
    }
    let loaded = load_as("a.json", format!("{{\"spec\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)));
    assert_eq!(errors(&loaded), ["1: nested more than 128 levels deep: no Kubernetes object is"]);
}

#[test]
fn long_strings_are_read() {
    let long = "x".repeat(3_000_000);
    assert_eq!(
        good(format!("{POD}  annotations: {{a: \"{long}\"}}\n").replace("{name: a}\n", "\n  name: a\n"))
            .len(),
        1
    );
    assert_eq!(good(format!("{POD}list:\n- \"{long}\"\n- {long}\n")).len(), 1);
}

#[test]
fn not_text() {
    for (bytes, says) in [
        (b"apiVersion: v1\nkind: \xff\n".as_slice(), "2: not UTF-8 from here on"),
        (b"\x7fELF\0\0".as_slice(), "0: a binary file"),
        (b"\xff\xfe\x00\xd8".as_slice(), "0: not valid UTF-16"),
    ] {
        let loaded = load(bytes);
        let errors = errors(&loaded);
        assert!(errors.len() == 1 && errors[0].starts_with(says), "{errors:?}");
    }
}

#[test]
fn too_large() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("big.yaml");
    fs::File::create(&file).unwrap().set_len((50 << 20) + 1).unwrap();
    let loaded = read(&[file], &mut Cursor::new(""), Limits::default());
    assert_eq!(errors(&loaded), ["0: larger than 50 MiB: split it into several files"]);
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn pod(name: &str) -> String {
    POD.replace("name: a", &format!("name: {name}"))
}

#[test]
fn folders() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "b.yml", &pod("b"));
    write(root, "a/z.YAML", &pod("z"));
    write(root, "a/y.json", r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"y"}}"#);
    write(root, ".hidden.yaml", &pod("hidden"));
    write(root, ".git/config.yaml", &pod("git"));
    write(root, "README.md", "no manifest");
    let named = write(root, "named.txt", &pod("named"));
    let paths = [root.to_owned(), root.join("b.yml"), named, root.join("a")];
    let loaded = read(&paths, &mut Cursor::new(""), Limits { namespace: "shop", ..Limits::default() });
    assert_eq!(errors(&loaded), Vec::<String>::new());
    assert_eq!(names(&loaded), ["Pod shop/y:1", "Pod shop/z:1", "Pod shop/b:1", "Pod shop/named:1"]);
    assert_eq!(&*loaded.objects[2].source.file, root.join("b.yml").to_str().unwrap());
}

#[test]
fn every_file_is_read_and_every_error_reported_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let broken = write(root, "broken.yaml", "a: [\n");
    let other = write(root, "also-broken.yaml", &format!("{}---\nx: y\n---\n- z\n", pod("a")));
    let fine = write(root, "fine.yaml", &pod("b"));
    let empty = root.join("empty");
    fs::create_dir(&empty).unwrap();
    let missing = root.join("missing.yaml");
    let loaded = read(&[missing, broken, other, fine, empty], &mut Cursor::new(""), Limits::default());
    assert_eq!(names(&loaded), ["Pod default/a:1", "Pod default/b:1"]);
    let files: Vec<_> = loaded
        .errors
        .iter()
        .map(|e| (Path::new(&e.file).file_name().unwrap().to_str().unwrap(), e.line.unwrap_or_default()))
        .collect();
    assert_eq!(
        files,
        [
            ("also-broken.yaml", 5),
            ("also-broken.yaml", 7),
            ("broken.yaml", 1),
            ("empty", 0),
            ("missing.yaml", 0)
        ]
    );
    assert!(loaded.errors[3].message.starts_with("no manifests in this folder"));
    assert!(loaded.errors[4].message.starts_with("no such file or folder"));
}

#[test]
fn standard_input() {
    let paths = [PathBuf::from("-"), PathBuf::from("-")];
    let loaded = read(&paths, &mut Cursor::new(format!("# c\n{POD}---\n{POD}")), Limits::default());
    assert_eq!(names(&loaded), ["Pod default/a:2", "Pod default/a:6"]);
    assert_eq!(
        loaded.errors[0].to_string(),
        "stdin:6: Pod default/a stands here and in stdin:2: remove one of them"
    );
    // A command that failed has written nothing, or no more than comments.
    for (text, is_void) in [
        ("", true),
        ("\n\n", true),
        ("\u{feff}", true),
        ("---\n# Source: chart/templates/web.yaml\n---\n", true),
        ("--- null\n", true),
        ("apiVersion: v1\nkind: List\nitems: []\n", false),
        ("{\"kind\": \"List\", \"apiVersion\": \"v1\", \"items\": []}", false),
        (POD, false),
    ] {
        let loaded = read(&[PathBuf::from("-")], &mut Cursor::new(text), Limits::default());
        let told: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            told.iter().any(|one| one.starts_with("stdin: no manifests")),
            is_void,
            "{text:?}: {told:?}"
        );
    }
}

/// A command that failed has written nothing into its file either.
#[test]
fn an_error_quotes_no_whole_file() {
    let told = errors(&load("x".repeat(1_000_000)));
    let [told] = &told[..] else { panic!("{}", told.len()) };
    assert!(told.len() < 1_100 && told.ends_with(" bytes more)"), "{}", told.len());
}

#[test]
fn files_that_hold_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let void = write(root, "void.yaml", "");
    let comments = write(root, "comments.yaml", "---\n# Source: chart/templates/web.yaml\n---\n");
    let null = write(root, "null.yaml", "---\nnull\n");
    let fine = write(root, "fine.yaml", &pod("a"));
    let json = write(root, "void.json", "");
    let told = |paths: &[&PathBuf], stdin: &str| {
        let paths: Vec<PathBuf> = paths.iter().map(|path| (*path).clone()).collect();
        errors(&read(&paths, &mut Cursor::new(stdin.to_owned()), Limits::default()))
    };
    for paths in [&[&void][..], &[&comments], &[&null], &[&json], &[&void, &comments, &void]] {
        let told = told(paths, "");
        assert!(
            told.iter().all(|one| one.contains("nothing in this file, and nothing else was given")),
            "{told:?}"
        );
        assert_eq!(told.len(), paths.len().min(2));
    }
    // A chart has files that a value switches off.
    assert!(told(&[&void, &fine, &comments, &null, &json], "").is_empty());
    let stdin = PathBuf::from("-");
    assert!(told(&[&void, &stdin], POD).is_empty());
    assert_eq!(told(&[&void, &stdin], "").len(), 1);
}

#[cfg(unix)]
#[test]
fn links() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "a.yaml", &pod("a"));
    std::os::unix::fs::symlink(root.join("a.yaml"), root.join("b.yaml")).unwrap();
    std::os::unix::fs::symlink(root, root.join("loop")).unwrap();
    let loaded = read(&[root.to_owned()], &mut Cursor::new(""), Limits::default());
    assert_eq!(names(&loaded), ["Pod default/a:1"]);
    assert_eq!(errors(&loaded), ["0: a link leads back to the folder that holds it: leave it out"]);
}

#[cfg(unix)]
#[test]
fn no_permission() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.yaml", POD);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads what nobody may.
    if fs::File::open(&file).is_ok() {
        return;
    }
    let loaded = read(&[file], &mut Cursor::new(""), Limits::default());
    assert_eq!(errors(&loaded), ["0: permission denied: it must be readable for this user"]);
}
