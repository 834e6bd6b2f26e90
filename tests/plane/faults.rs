//! What befalls a control plane: components that stand still, and a store that is full.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Component, Plane};

impl Plane {
    /// Where a component listens on loopback.
    pub(crate) fn port(&self, component: Component) -> u16 {
        self.ports[component as usize]
    }

    /// Stops a component as it is, or lets it go on: it keeps its connections, and answers nothing meanwhile.
    pub(crate) fn freeze(&self, component: Component, frozen: bool) {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        self.slot(component, |slot| slot.as_ref().unwrap().signal(signal));
    }

    /// Whether a component has ended by itself.
    pub(crate) fn has_ended(&self, component: Component) -> bool {
        self.slot(component, |slot| slot.as_mut().is_some_and(|process| process.ended().is_some()))
    }

    /// Has etcd take its disk for full, as it does when its quota is met, or not any more.
    pub(crate) async fn store_is_full(&self, full: bool) {
        let action = if full { "ACTIVATE" } else { "DEACTIVATE" };
        let address = format!("http://127.0.0.1:{}", self.port(Component::Etcd));
        let client = kube::Client::try_from(kube::Config::new(address.parse().unwrap())).unwrap();
        let ask = async |path: &str, body: String| {
            let request = http::Request::post(path).body(body.into_bytes()).unwrap();
            client.request_text(request).await.unwrap()
        };
        let status: Value =
            serde_json::from_str(&ask("/v3/maintenance/status", "{}".to_owned()).await).unwrap();
        let member = &status["header"]["member_id"];
        let alarm = json!({"action": action, "memberID": member, "alarm": "NOSPACE"});
        ask("/v3/maintenance/alarm", alarm.to_string()).await;
    }
}
