//! Several policies, what they do about it, and exceptions.

use domicile::cluster::{Fresh, Kind, State};
use domicile::residency::Reason;

use super::*;

fn exception(spec: &str) -> String {
    format!(
        "{{apiVersion: domicile.dev/v1alpha1, kind: ResidencyException, metadata: {{name: e, namespace: shop}}, \
         spec: {{until: '2026-12-31T00:00:00Z', reason: because, {spec}}}}}"
    )
}

#[test]
fn s4_an_object_must_satisfy_every_policy_that_selects_it() {
    let (germany, aws) = (
        named_policy("germany", "allow: [{jurisdictions: [DE]}]"),
        named_policy("aws", "allow: [{providers: [aws]}]"),
    );
    assert_eq!(permitted(&[&germany]), "+---+--");
    assert_eq!(permitted(&[&aws]), "+++--+-");
    assert_eq!(permitted(&[&germany, &aws]), "+------");
    let never = named_policy("never", "deny: [{nodeSelector: {matchLabels: {rack: a}}}]");
    assert_eq!(permitted(&[&germany, &aws, &never]), "-------");
    // Each that is broken is told.
    let verdict = create(&[NODES, &germany, &aws, &never], &pod_on("mtl"));
    let broken: Vec<&str> = verdict.findings.iter().filter_map(|one| one.policy.as_deref()).collect();
    assert_eq!(broken, ["aws", "germany"]);
    // Of two classifications, the policies of both.
    let health = germany.replace("[personal]", "[health]");
    let both =
        pod_on("ist").replace("labels:", "annotations: {domicile.dev/data-classification: health}, labels:");
    assert_eq!(create(&[NODES, &health, &aws], &both).decision, Decision::Deny);
    assert_eq!(create(&[NODES, &health, &aws], &pod_on("ist")).decision, Decision::Allow);
}

#[test]
fn s4_what_is_done_about_it() {
    for (actions, decision) in [
        (&["Deny"][..], Decision::Deny),
        (&["Warn"], Decision::Warn),
        (&["Audit"], Decision::Allow),
        (&["Warn", "Audit"], Decision::Warn),
        (&["Audit", "Deny", "Warn"], Decision::Deny),
    ] {
        let policies: Vec<String> = actions
            .iter()
            .map(|action| {
                named_policy(
                    &action.to_lowercase(),
                    &format!("action: {action}, allow: [{{jurisdictions: [DE]}}]"),
                )
            })
            .collect();
        let cluster: Vec<&str> = policies.iter().map(String::as_str).chain([NODES]).collect();
        let verdict = create(&cluster, &pod_on("ist"));
        assert_eq!((verdict.decision, verdict.reach), (decision, Reach::Violated), "{actions:?}");
        assert_eq!(verdict.findings.len(), actions.len(), "{actions:?}");
    }
}

#[test]
fn s4_an_exception_adds_its_places() {
    let policy = policy("allow: [{jurisdictions: [DE]}], deny: [{providerJurisdictions: [CN]}]");
    for (what, spec, expected) in [
        ("a place", "policies: [p], allow: [{jurisdictions: [TR]}]", "++--+--"),
        ("over deny too", "policies: [p], allow: [{jurisdictions: [CN]}]", "+-+-+--"),
        (
            "two places",
            "policies: [p], allow: [{jurisdictions: [CN]}, {regions: ['northamerica-*']}]",
            "+-+++--",
        ),
        ("one of two fields", "policies: [p], allow: [{jurisdictions: [TR], providers: [gcp]}]", "+---+--"),
        (
            "what is not known is not added",
            "policies: [p], allow: [{jurisdictions: [US]}, {zones: ['*']}]",
            "++++",
        ),
        ("another policy's", "policies: [q], allow: [{jurisdictions: [TR]}]", "+---+--"),
        ("one of several policies", "policies: [q, p], allow: [{jurisdictions: [TR]}]", "++--+--"),
        (
            "its labels",
            "policies: [p], objectSelector: {matchLabels: {app: web}}, allow: [{jurisdictions: [TR]}]",
            "++--+--",
        ),
        (
            "other labels",
            "policies: [p], objectSelector: {matchLabels: {app: job}}, allow: [{jurisdictions: [TR]}]",
            "+---+--",
        ),
        ("an empty selector", "policies: [p], objectSelector: {}, allow: [{jurisdictions: [TR]}]", "++--+--"),
        (
            "a place that is over",
            "policies: [p], allow: [{jurisdictions: [TR], until: '2026-01-01T00:00:00Z'}]",
            "+---+--",
        ),
        (
            "a place that has not begun",
            "policies: [p], allow: [{jurisdictions: [TR], from: '2026-07-01T00:00:00Z'}]",
            "+---+--",
        ),
        // With an error in it, it adds nothing.
        (
            "a group that nobody knows",
            "policies: [p], allow: [{jurisdictions: [TR]}, {jurisdictions: [FRIENDS]}]",
            "+---+--",
        ),
        ("no country", "policies: [p], allow: [{jurisdictions: [TR, XX]}]", "+---+--"),
        ("no place", "policies: [p], allow: [{jurisdictions: [TR]}, {}]", "+---+--"),
        (
            "a selector that cannot be read",
            "policies: [p], objectSelector: {matchExpressions: [{key: app, operator: Was}]}, allow: [{jurisdictions: [TR]}]",
            "+---+--",
        ),
    ] {
        let expected = if expected.len() == 4 { "+++++--" } else { expected };
        assert_eq!(permitted(&[&policy, &exception(spec)]), expected, "{what}");
    }
    let turkey = exception("policies: [p], allow: [{jurisdictions: [TR]}]");
    for (what, other) in [
        ("of another namespace", turkey.replace("namespace: shop", "namespace: other")),
        ("that has ended", turkey.replace("2026-12-31", "2026-06-01")),
    ] {
        assert_eq!(permitted(&[&policy, &other]), "+---+--", "{what}");
    }
    // Two together.
    let china = exception("policies: [p], allow: [{jurisdictions: [CN]}]").replace("name: e", "name: f");
    assert_eq!(permitted(&[&policy, &turkey, &china]), "+++-+--");
    // It loosens the one policy, not the other.
    let other = named_policy("q", "allow: [{jurisdictions: [DE, CN]}]");
    assert_eq!(permitted(&[&policy, &other, &turkey]), "+---+--");
    // It cannot make good what is not permitted by a policy that cannot be read.
    let closed = super::policy("allow: [{jurisdictions: [FRIENDS]}]");
    assert_eq!(permitted(&[&closed, &turkey]), "-+-----");
}

/// Also once all places are told apart anew, because a policy asks for labels of nodes that none asked for.
#[test]
fn s4_an_exception_adds_no_other_place_later() {
    let policy = policy("allow: [{jurisdictions: [DE]}]");
    let alibaba = exception("policies: [p], allow: [{providers: [alibaba]}]");
    let racks = named_policy("racks", "allow: [{nodeSelector: {matchLabels: {rack: a}}}]");
    let racks = racks.replace("[personal]", "[health]");
    assert_eq!(permitted(&[&policy, &alibaba]), "+---+--");
    assert_eq!(permitted(&[&policy, &alibaba, &racks]), "+---+--");
}

/// How many policies there are is what the server counts.
#[test]
fn s4_policies_are_counted() {
    let mut state = state(&[NODES]);
    for (count, name) in ["p", "q", "r", "q"].into_iter().enumerate() {
        let policies = state.policies();
        assert_eq!((policies.len(), policies.is_empty()), (count, count == 0));
        assert_eq!(state.count(Kind::ResidencyPolicy), count);
        state.apply(object(named_policy(name, "allow: [{jurisdictions: [DE]}]").trim_end_matches("\n---\n")));
    }
    assert_eq!(state.policies().len(), 3, "one of the same name takes its place");
}

/// A volume without a readable claim gets none; one with a claim gets those of the claim's namespace and labels.
#[test]
fn s4_exceptions_for_a_volume() {
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, labels: {app: web}, annotations: {domicile.dev/recorded-classification: \
                  personal, domicile.dev/jurisdiction: TR}}, spec: {claimRef: {namespace: shop, name: data}}}";
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: shop, labels: {app: LABEL}}, spec: {volumeName: pv}}";
    let policy = policy("allow: [{jurisdictions: [DE]}]");
    let exception =
        exception("policies: [p], objectSelector: {matchLabels: {app: web}}, allow: [{jurisdictions: [TR]}]");
    for (claim, decision) in [
        (String::new(), Decision::Deny),
        (claim.replace("LABEL", "job"), Decision::Deny),
        (claim.replace("LABEL", "web"), Decision::Allow),
    ] {
        assert_eq!(create(&[&policy, &exception, &claim], volume).decision, decision, "{claim}");
    }
}

/// A stored policy that cannot be read permits nothing for the classifications that can be read in it; all, if none.
#[test]
fn s4_a_policy_that_cannot_be_read() {
    for (readable, token, decision) in [
        (&["personal"][..], "personal", Decision::Deny),
        (&["personal", "health"], "personal", Decision::Deny),
        (&["health"], "personal", Decision::Allow),
        (&[], "personal", Decision::Deny),
        (&[], "anything", Decision::Deny),
        (&[], "''", Decision::Allow),
    ] {
        let mut state = state(&[NODES]);
        let readable: Vec<String> = readable.iter().map(|&one| one.to_owned()).collect();
        state.apply_unreadable_policy("broken", &readable);
        let pod =
            object(&pod_on("fra").replace("classification: personal", &format!("classification: {token}")));
        let request = Request::create(&pod);
        let verdict = judge(&request, &state, now());
        assert_eq!(verdict.decision, decision, "{readable:?} {token}");
        if decision == Decision::Deny {
            assert_eq!(reasons(&verdict), [Reason::NodeOutsideJurisdiction]);
            assert!(verdict.warnings.is_empty(), "it governs everything: {:?}", verdict.warnings);
        }
        // It is gone once it can be read.
        state.apply(object(
            named_policy("broken", "allow: [{jurisdictions: [DE]}]").trim_end_matches("\n---\n"),
        ));
        let verdict = judge(&request, &state, now());
        assert_eq!(verdict.decision, Decision::Allow, "{readable:?} {token}");
    }
}

/// A stored geography that cannot be read could correct any place, so that none is known, however sure the catalog is.
#[test]
fn s4_while_a_geography_cannot_be_read_no_policy_permits_anything() {
    let geography = "apiVersion: domicile.dev/v1alpha1\nkind: Geography\nmetadata: {name: odd}\nspec: {}\n";
    let pod = object(&pod_on("fra"));
    let judged = |state: &State| judge(&Request::create(&pod), state, now());
    let mut state = state(&[NODES, &policy("allow: [{jurisdictions: [DE]}]")]);
    assert_eq!(judged(&state).decision, Decision::Allow);
    state.apply_unreadable_geography("odd");
    let verdict = judged(&state);
    assert_eq!(verdict.decision, Decision::Deny);
    assert!(verdict.findings[0].message.contains("Geography odd cannot be read"), "{verdict:?}");
    // Asked what becomes of it once it is mended, the state says so, and goes on as it was.
    let mended = Fresh::Is(object(geography));
    assert_eq!(state.ask_with(vec![mended], |state| judged(state).decision), Decision::Allow);
    assert_eq!(judged(&state).decision, Decision::Deny);
    state.delete(Kind::Geography, "", "odd");
    assert_eq!(judged(&state).decision, Decision::Allow);
    state.apply_unreadable_geography("odd");
    state.apply(object(geography));
    assert_eq!(judged(&state).decision, Decision::Allow);
}
