//! The metadata of an object, as far as somebody needs it who writes to it or tells of it.

use std::collections::BTreeMap;

use kube::Client;
use kube::api::{GetParams, Patch, PatchParams};
use kube::core::Request;
use serde::Deserialize;
use serde_json::Value;

use super::references::Key;
use super::resource::Resource;

/// Not all of it: whoever writes an object nests its `managedFields` as deep as they like, and JSON that is nested too deep is
/// read by nobody who reads all of it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Head {
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Headed {
    metadata: Head,
}

/// Reads that of an object. `None`: it is gone.
pub(crate) async fn read(client: &Client, object: &Key) -> kube::Result<Option<Head>> {
    let request = request(object).get_metadata(&object.name, &GetParams::default());
    found(client.request(request.map_err(kube::Error::BuildRequest)?).await)
}

/// Changes it. `None`: it is gone.
pub(crate) async fn patch(client: &Client, object: &Key, change: &Value) -> kube::Result<Option<Head>> {
    let request =
        request(object).patch_metadata(&object.name, &PatchParams::default(), &Patch::Merge(change));
    found(client.request(request.map_err(kube::Error::BuildRequest)?).await)
}

fn request(object: &Key) -> Request {
    Request::new(Resource::of(object.kind).path(&object.namespace))
}

fn found(answer: kube::Result<Headed>) -> kube::Result<Option<Head>> {
    match answer {
        Ok(object) => Ok(Some(object.metadata)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
