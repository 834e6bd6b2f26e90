use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, ValidatingWebhook, ValidatingWebhookConfiguration,
};

use super::super::authority::{self, Signed};
use super::super::material::{BUNDLE, CA_KEY, Data, LEAF, LEAF_KEY, bundle_pem, data};
use super::*;
use crate::server::tls::certificate::certificates;

/// A Secret and configurations as a story goes on.
struct Story {
    now: Timestamp,
    secret: Option<Data>,
    bundles: Option<Vec<Vec<Der>>>,
    served: Option<Served>,
    trust: Option<Trust>,
    names: Vec<String>,
}

const LIFETIMES: Lifetimes = Lifetimes {
    ca: SignedDuration::from_hours(3000),
    leaf: SignedDuration::from_hours(300),
    overlap: SignedDuration::from_hours(1),
    settle: SignedDuration::from_secs(5),
};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Story {
    /// Nothing but a configuration without a word about trust.
    fn begin() -> Self {
        Self {
            now: "2027-01-01T00:00:00Z".parse().unwrap(),
            secret: None,
            bundles: Some(vec![Vec::new()]),
            served: None,
            trust: None,
            names: names(&["domicile.x.svc"]),
        }
    }

    /// With a certificate that is served and trusted.
    fn settled() -> Self {
        let mut story = Self::begin();
        story.write();
        story.go_on();
        story.after(SignedDuration::from_mins(1));
        let plan = story.go_on();
        assert!(plan.write.is_none() && plan.patch.is_empty() && !plan.serve && plan.trusted, "{plan:?}");
        story.after(SignedDuration::from_mins(1));
        story
    }

    fn after(&mut self, time: SignedDuration) {
        self.now = self.now.checked_add(time).unwrap();
    }

    fn configurations(&self) -> Option<Vec<Configuration>> {
        let all = self.bundles.as_ref()?;
        Some(
            all.iter()
                .map(|bundle| {
                    let entry = |name: &str| ValidatingWebhook {
                        name: name.to_owned(),
                        client_config: k8s_openapi::api::admissionregistration::v1::WebhookClientConfig {
                            ca_bundle: Some(ByteString(bundle_pem(bundle).into_bytes())),
                            ..Default::default()
                        },
                        ..Default::default()
                    };
                    Configuration::from(&ValidatingWebhookConfiguration {
                        webhooks: Some(vec![entry("a"), entry("b")]),
                        ..Default::default()
                    })
                })
                .collect(),
        )
    }

    fn plan(&self) -> Plan {
        let found = self.found();
        plan(&Seen {
            now: self.now,
            secret: found.as_ref(),
            configurations: self.configurations().as_deref(),
            served: self.served.as_ref(),
            trust: self.trust.as_ref(),
            names: &self.names,
            lifetimes: LIFETIMES,
        })
    }

    fn found(&self) -> Option<Found> {
        self.secret.as_ref().map(|data| Found::read(data, self.now))
    }

    /// Does what is planned, except for writing.
    fn go_on(&mut self) -> Plan {
        let plan = self.plan();
        self.trust.clone_from(&plan.trust);
        let found = self.found().unwrap();
        if plan.serve {
            let leaf = found.leaf.as_ref().unwrap();
            self.served =
                Some(Served { der: leaf.der.clone(), ca: found.bundle[0].clone(), until: leaf.life.until });
        }
        for place in &plan.patch {
            self.bundles.as_mut().unwrap()[*place].clone_from(&found.bundle);
        }
        plan
    }

    /// Writes what is planned.
    fn write(&mut self) -> Write {
        let plan = self.plan();
        let write = plan.write.unwrap();
        let found = self.found();
        self.secret = Some(match &write {
            Write::Everything { keep, .. } => {
                let ca = authority::ca(self.now, LIFETIMES).unwrap();
                let until = self.now.checked_add(LIFETIMES.ca).unwrap();
                let leaf = authority::leaf(&ca, until, &self.names, self.now, LIFETIMES).unwrap();
                let mut bundle = certificates(ca.certificate.as_bytes()).unwrap();
                bundle.extend(keep.iter().cloned());
                data(&bundle, &ca.key, leaf.certificate.as_bytes(), leaf.key.as_bytes())
            }
            Write::Leaf { names, .. } => {
                let found = found.unwrap();
                let ca = found.authority.unwrap();
                let Signed { certificate, key } =
                    authority::leaf(&ca.signed, ca.life.until, names, self.now, LIFETIMES).unwrap();
                data(&found.bundle, &ca.signed.key, certificate.as_bytes(), key.as_bytes())
            }
            Write::Retire => {
                let found = found.unwrap();
                let (certificate, key) = found.leaf.unwrap().signed();
                data(&found.bundle[..1], &found.authority.unwrap().signed.key, &certificate, &key)
            }
        });
        write
    }

    fn break_part(&mut self, key: &str) {
        self.secret.as_mut().unwrap().insert(key.to_owned(), ByteString(b"x".to_vec()));
    }
}

fn why(write: &Write) -> &str {
    match write {
        Write::Everything { why, .. } | Write::Leaf { why, .. } => why,
        Write::Retire => "",
    }
}

#[test]
fn the_first_certificate_is_served_at_once_and_trusted_once_the_configurations_say_so() {
    let mut story = Story::begin();
    let Write::Everything { keep, why } = story.write() else { panic!("nothing is made") };
    assert_eq!((keep, why.as_str()), (Vec::new(), "there is none"));
    let plan = story.go_on();
    assert!(plan.serve && !plan.trusted && plan.write.is_none(), "{plan:?}");
    assert_eq!(plan.patch, [0]);
    let plan = story.go_on();
    assert!(!plan.serve && plan.trusted && plan.patch.is_empty(), "{plan:?}");
    // Nothing is to be done before it is to be renewed; but a clock may be set.
    assert_eq!(plan.again, story.now.checked_add(AT_MOST).unwrap());
}

#[test]
fn without_configurations_it_is_served_all_the_same() {
    let mut story = Story::begin();
    story.bundles = Some(Vec::new());
    story.write();
    let plan = story.go_on();
    assert!(plan.serve && plan.trusted && plan.patch.is_empty(), "{plan:?}");
    // Nobody knows: so nobody says that it is trusted.
    story.bundles = None;
    let plan = story.go_on();
    assert!(!plan.trusted && plan.patch.is_empty() && plan.write.is_none(), "{plan:?}");
}

#[test]
fn a_certificate_is_renewed_after_two_thirds_by_the_same_ca_and_served_at_once() {
    let mut story = Story::settled();
    let (ca, old) = (story.found().unwrap().bundle, story.served.clone().unwrap().der);
    story.after(SignedDuration::from_hours(199));
    assert!(story.plan().write.is_none());
    story.after(SignedDuration::from_hours(1));
    assert!(why(&story.write()).starts_with("the certificate ends at "));
    let plan = story.go_on();
    assert!(plan.serve && plan.trusted && plan.patch.is_empty(), "{plan:?}");
    assert_eq!(story.found().unwrap().bundle, ca);
    assert_ne!(story.served.unwrap().der, old);
}

#[test]
fn a_new_ca_is_trusted_before_it_is_served_and_the_old_one_for_long_enough() {
    let mut story = Story::settled();
    let old = story.served.clone().unwrap();
    // The certificate is renewed on the way, too.
    while story.found().unwrap().bundle[0] == old.ca {
        story.after(SignedDuration::from_hours(100));
        if story.plan().write.is_some() {
            let keeps = story.served.clone().unwrap();
            let write = story.write();
            if let Write::Everything { keep, why } = &write {
                assert!(why.starts_with("the CA ends at "), "{why}");
                assert_eq!(*keep, std::slice::from_ref(&old.ca));
                // The old one is served, and trusted, while the configurations do not know of the new one.
                let plan = story.plan();
                assert!(!plan.serve && plan.trusted && plan.write.is_none(), "{plan:?}");
                assert_eq!(plan.patch, [0]);
                story.go_on();
                let plan = story.go_on();
                assert!(!plan.serve && plan.trusted && plan.patch.is_empty(), "{plan:?}");
                assert_eq!(plan.again, story.now.checked_add(LIFETIMES.settle).unwrap());
                assert_eq!(story.served.as_ref().unwrap().der, keeps.der);
                story.after(LIFETIMES.settle);
            }
            let plan = story.go_on();
            assert!(plan.serve && plan.trusted, "{plan:?}");
        }
        assert!(story.served.as_ref().unwrap().until > story.now);
    }
    assert_eq!(story.bundles.as_ref().unwrap()[0].len(), 2);
    assert!(story.plan().write.is_none());
    story.after(LIFETIMES.overlap);
    assert_eq!(story.write(), Write::Retire);
    story.go_on();
    let plan = story.go_on();
    assert!(plan.write.is_none() && plan.patch.is_empty() && !plan.serve && plan.trusted, "{plan:?}");
    assert_eq!(story.bundles.as_ref().unwrap()[0], story.found().unwrap().bundle);
    assert_eq!(story.found().unwrap().bundle.len(), 1);
}

#[test]
fn a_secret_that_is_deleted_is_made_anew_and_what_others_serve_stays_trusted() {
    let mut story = Story::settled();
    let old = story.served.clone().unwrap();
    story.secret = None;
    let plan = story.plan();
    assert!(plan.trusted && !plan.serve && plan.patch.is_empty(), "{plan:?}");
    let Write::Everything { keep, .. } = story.write() else { panic!("nothing is made") };
    assert_eq!(keep, [old.ca]);
    story.go_on();
    assert_eq!(story.bundles.as_ref().unwrap()[0].len(), 2);
}

#[test]
fn what_is_broken_is_replaced_and_nothing_else() {
    for (part, reason) in [(BUNDLE, "ca.crt holds no certificate"), (CA_KEY, "ca.key: ")] {
        let mut story = Story::settled();
        story.break_part(part);
        assert!(story.plan().patch.is_empty(), "what is broken is told to nobody");
        let write = story.write();
        assert!(matches!(write, Write::Everything { .. }) && why(&write).starts_with(reason), "{write:?}");
    }
    for (part, reason) in [(LEAF, "there is no PEM certificate in it"), (LEAF_KEY, "the key file holds no")] {
        let mut story = Story::settled();
        story.break_part(part);
        let write = story.write();
        assert!(matches!(write, Write::Leaf { .. }) && why(&write).starts_with(reason), "{write:?}");
    }
    // A certificate of somebody else, with its key.
    let mut story = Story::settled();
    let other = Story::settled().secret.unwrap();
    let secret = story.secret.as_mut().unwrap();
    for part in [LEAF, LEAF_KEY] {
        secret.insert(part.to_owned(), other[part].clone());
    }
    assert!(why(&story.write()).starts_with("the CA has not signed the certificate"));
    // The key of somebody else.
    let mut story = Story::settled();
    story.secret.as_mut().unwrap().insert(CA_KEY.to_owned(), other[CA_KEY].clone());
    assert!(why(&story.write()).starts_with("ca.key and the first certificate of ca.crt"));
    // Nothing at all.
    let mut story = Story::settled();
    story.secret = Some(Data::new());
    assert!(matches!(story.write(), Write::Everything { .. }));
}

#[test]
fn a_bundle_that_is_emptied_or_foreign_is_repaired() {
    let foreign = Story::settled().found().unwrap().bundle;
    for bundle in [Vec::new(), foreign] {
        let mut story = Story::settled();
        let right = story.found().unwrap().bundle;
        story.bundles.as_mut().unwrap()[0] = bundle;
        let plan = story.go_on();
        assert!(plan.write.is_none() && !plan.trusted, "{plan:?}");
        assert_eq!(plan.patch, [0]);
        assert!(story.plan().trusted);
        assert_eq!(story.bundles.unwrap()[0], right);
    }
}

#[test]
fn what_expired_while_nobody_was_there_is_replaced() {
    let mut story = Story::settled();
    story.after(SignedDuration::from_hours(301));
    story.served = None;
    assert!(why(&story.write()).starts_with("the certificate expired at "));
    assert!(story.go_on().serve);
    story.after(SignedDuration::from_hours(3001));
    let Write::Everything { why, keep } = story.write() else { panic!("nothing is made") };
    assert!(why.starts_with("the CA expired at "), "{why}");
    // What has expired is not kept.
    assert_eq!(keep, Vec::<Der>::new());
    // Nothing better is there than one that is not trusted yet: the served one has expired.
    assert!(story.go_on().serve);
}

#[test]
fn names_are_added_and_none_is_taken_from_another_version() {
    let mut story = Story::settled();
    story.names = names(&["domicile.x.svc", "127.0.0.1"]);
    assert_eq!(why(&story.write()), "the certificate is not for 127.0.0.1");
    assert!(story.go_on().serve);
    // The version before is content with it, another one adds to it.
    story.names = names(&["domicile.x.svc"]);
    assert!(story.plan().write.is_none());
    story.names = names(&["other.x.svc"]);
    story.write();
    let has = story.found().unwrap().leaf.unwrap().names;
    assert_eq!(has, ["other.x.svc", "domicile.x.svc", "127.0.0.1"]);
}

#[test]
fn a_patch_names_only_the_entries_that_need_it() {
    let bundle = Story::settled().found().unwrap().bundle;
    let entry = |name: &str, ca: Option<&[Der]>| MutatingWebhook {
        name: name.to_owned(),
        client_config: k8s_openapi::api::admissionregistration::v1::WebhookClientConfig {
            ca_bundle: ca.map(|ca| ByteString(bundle_pem(ca).into_bytes())),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut object = MutatingWebhookConfiguration {
        webhooks: Some(vec![entry("good", Some(&bundle)), entry("none", None), entry("empty", Some(&[]))]),
        ..Default::default()
    };
    object.metadata.resource_version = Some("7".to_owned());
    let configuration = Configuration::from(&object);
    assert!(!configuration.is(&bundle) && !configuration.trusts(&bundle[0]));
    let patch = configuration.patch(&bundle);
    assert_eq!(patch["metadata"]["resourceVersion"], "7");
    let named: Vec<&str> =
        patch["webhooks"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(named, ["none", "empty"]);
    let written: ByteString =
        serde_json::from_value(patch["webhooks"][0]["clientConfig"]["caBundle"].clone()).unwrap();
    assert_eq!(certificates(&written.0).unwrap(), bundle);
}
