//! Any bytes as the body of a call, and any objects in a review: every review is answered, an object is patched once,
//! and a pod that was patched to stay where it may be is admitted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::super::make::Maker;
use super::super::worlds::Worlds;
use super::super::{objects, ours, parse, state};
use domicile::cluster::Shared;
use domicile::cluster::access::Authorizer;
use domicile::cluster::reader::Reader;
use domicile::objects::Object;
use domicile::server::{Call, Metrics, Reply, Reviewer};
use domicile::webhook::{Admission, Parts};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());
static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

fn admission(objects: &[Object]) -> Admission {
    Admission::new(Parts {
        shared: Shared::complete(state(objects)),
        reader: Reader::Files,
        authorizer: Authorizer::Files,
        tell: Arc::new(|_| {}),
        metrics: METRICS.clone(),
    })
}

fn call<F: Future<Output = Reply>>(way: impl FnOnce(Call) -> F, body: &[u8]) -> Reply {
    let body = body.to_vec().into();
    RUNTIME.block_on(async { way(Call { body, deadline: Instant::now() + Duration::from_secs(5) }).await })
}

fn answer<F: Future<Output = Reply>>(way: impl FnOnce(Call) -> F, review: &Value) -> Value {
    let reply = call(way, review.to_string().as_bytes());
    assert_eq!(reply.status.as_u16(), 200, "{}\n{review}", String::from_utf8_lossy(&reply.body));
    let mut answer: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(answer["response"]["uid"], "u");
    answer["response"].take()
}

fn review(operation: &str, object: &Value, old: Option<&Value>) -> Value {
    let api_version = object["apiVersion"].as_str().unwrap();
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u", "operation": operation,
            "kind": {"group": group, "version": version, "kind": object["kind"]},
            "name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"].as_str().unwrap_or(""),
            "userInfo": {"username": "dev", "groups": ["system:authenticated"]},
            "object": object, "oldObject": old,
        },
    })
}

fn patched(object: &Value, answer: &Value) -> Option<Value> {
    let patch: k8s_openapi::ByteString = serde_json::from_value(answer.get("patch")?.clone()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch.0).unwrap();
    let mut patched = object.clone();
    json_patch::patch(&mut patched, &patch).unwrap();
    Some(patched)
}

fn cluster(maker: &mut Maker<'_>) -> Vec<Object> {
    let mut manifests: Vec<Value> = Vec::new();
    for number in 0..=usize::from(maker.below(3)) {
        manifests.push(ours::policy(maker, number));
    }
    manifests.extend(maker.some(3, objects::node));
    manifests.extend(maker.some(5, objects::any));
    let parsed = manifests.iter().filter_map(parse).filter(|object| !matches!(object, Object::Binding(_)));
    let by_name: BTreeMap<_, _> = parsed.map(|object| (object.reference(), object)).collect();
    by_name.into_values().collect()
}

thread_local! {
    static WORLDS: RefCell<Worlds<Admission>> = RefCell::default();
    static EMPTY: Admission = admission(&[]);
}

/// Whatever comes is answered, or said to be no review.
fn any_bytes(bytes: &[u8]) {
    EMPTY.with(|admission| {
        for reply in [call(|it| admission.validate(it), bytes), call(|it| admission.mutate(it), bytes)] {
            assert!(matches!(reply.status.as_u16(), 200 | 400), "{}", reply.status);
        }
    });
}

/// Tries these bytes.
pub fn run(bytes: &[u8]) {
    if bytes.first() == Some(&b'{') {
        return any_bytes(bytes);
    }
    let (admission, mut maker) =
        WORLDS.with_borrow_mut(|worlds| worlds.of(bytes, |maker| admission(&cluster(maker))));
    let object = objects::any(&mut maker);
    if maker.once_in(4) {
        let mut changed = objects::any(&mut maker);
        for field in ["apiVersion", "kind", "metadata"] {
            changed[field] = object[field].clone();
        }
        let update = review("UPDATE", &changed, Some(&object));
        answer(|it| admission.mutate(it), &update);
        answer(|it| admission.validate(it), &update);
        return;
    }
    let told = answer(|it| admission.mutate(it), &review("CREATE", &object, None));
    let Some(patched) = patched(&object, &told) else {
        answer(|it| admission.validate(it), &review("CREATE", &object, None));
        return;
    };
    let again = answer(|it| admission.mutate(it), &review("CREATE", &patched, None));
    assert_eq!(again.get("patch"), None, "patched twice\n{object}\n{patched}");
    let told = answer(|it| admission.validate(it), &review("CREATE", &patched, None));
    if object["kind"] == "Pod" {
        assert_eq!(told["allowed"], true, "confined, and refused: {told}\n{object}\n{patched}");
    }
}
