//! Places: every field alone, and together. Three-valued: what is not known never permits.

use super::support::state;
use super::{permitted, policy};

/// For each place whether `fra ist pek mtl fsn nozone dark` match: `+`, `-`, or `?` for nobody knows. In `allow` an
/// unknown match does not count, in `deny` it does.
#[test]
fn s4_every_field_alone_and_with_others() {
    for (place, matches) in [
        // jurisdictions: countries, parts of them, groups, any of several.
        ("jurisdictions: [DE]", "+---+??"),
        ("jurisdictions: [TR]", "-+---??"),
        ("jurisdictions: [DE, TR]", "++--+??"),
        ("jurisdictions: [CA]", "---+-??"),
        ("jurisdictions: [CA-QC]", "---+-??"),
        ("jurisdictions: [CA-ON]", "-----??"),
        ("jurisdictions: [DE-BY]", "?---???"),
        ("jurisdictions: [EU]", "+---+??"),
        ("jurisdictions: [EEA]", "+---+??"),
        ("jurisdictions: [EFTA]", "-----??"),
        ("jurisdictions: [EU, CN]", "+-+-+??"),
        ("jurisdictions: [DOJ-CONCERN]", "--+--??"),
        // providers
        ("providers: [aws]", "+++--+?"),
        ("providers: [gcp, hetzner]", "---++-?"),
        ("providers: [AWS]", "------?"),
        ("providers: [nobody]", "------?"),
        // providerJurisdictions: whose law binds the operator, wherever the machine stands.
        ("providerJurisdictions: [US]", "++-+-+?"),
        ("providerJurisdictions: [CN]", "--+---?"),
        ("providerJurisdictions: [EU]", "----+-?"),
        ("providerJurisdictions: [US, DE]", "++-+++?"),
        // regions: globs, over the whole code.
        ("regions: [eu-central-1]", "++---+?"),
        ("regions: ['eu-*']", "++---+?"),
        ("regions: ['*']", "++++++?"),
        ("regions: ['*-1']", "+++--+?"),
        ("regions: ['eu-central-?']", "++---+?"),
        ("regions: ['{eu-central,cn-north}-1']", "+++--+?"),
        ("regions: ['[ec][un]-*-1']", "+++--+?"),
        ("regions: [eu-central]", "------?"),
        ("regions: ['EU-*']", "------?"),
        ("regions: [fsn1, 'northamerica-*']", "---++-?"),
        // zones: globs; a Local Zone has a code of its own.
        ("zones: [eu-central-1a]", "+---???"),
        ("zones: ['eu-central-1*']", "++--???"),
        ("zones: ['eu-central-1?']", "+---???"),
        ("zones: ['*-ist-*']", "-+--???"),
        ("zones: ['*a']", "++++???"),
        // nodeSelector
        ("nodeSelector: {matchLabels: {rack: a}}", "+------"),
        ("nodeSelector: {matchLabels: {tier: ''}}", "----+--"),
        ("nodeSelector: {matchLabels: {rack: a, tier: gold}}", "+------"),
        ("nodeSelector: {matchLabels: {rack: b, tier: gold}}", "-------"),
        ("nodeSelector: {matchExpressions: [{key: rack, operator: In, values: [a, b]}]}", "+--+---"),
        ("nodeSelector: {matchExpressions: [{key: rack, operator: NotIn, values: [a]}]}", "-++++++"),
        ("nodeSelector: {matchExpressions: [{key: rack, operator: Exists}]}", "+--+---"),
        ("nodeSelector: {matchExpressions: [{key: rack, operator: DoesNotExist}]}", "-++-+++"),
        (
            "nodeSelector: {matchLabels: {rack: a}, matchExpressions: [{key: tier, operator: Exists}]}",
            "+------",
        ),
        ("nodeSelector: {matchLabels: {topology.kubernetes.io/region: eu-central-1}}", "++---+-"),
        // Between fields: all of them.
        ("jurisdictions: [DE], providers: [aws]", "+----??"),
        ("jurisdictions: [DE], providerJurisdictions: [DE]", "----+-?"),
        ("jurisdictions: [DE], providerJurisdictions: [US]", "+----??"),
        ("jurisdictions: [EU], regions: ['eu-*']", "+----??"),
        ("jurisdictions: [EU], regions: ['us-*']", "------?"),
        ("regions: ['eu-*'], zones: ['*-1a']", "++---??"),
        ("regions: ['eu-*'], zones: [eu-central-1a]", "+----??"),
        ("providers: [aws], regions: [fsn1]", "------?"),
        ("jurisdictions: [DE], nodeSelector: {matchLabels: {rack: a}}", "+------"),
        ("jurisdictions: [TR], nodeSelector: {matchLabels: {rack: a}}", "-------"),
        (
            "jurisdictions: [CA], nodeSelector: {matchExpressions: [{key: rack, operator: DoesNotExist}]}",
            "-----??",
        ),
        (
            "jurisdictions: [DE], providers: [aws], providerJurisdictions: [US], regions: ['eu-*'], zones: ['*1a'], nodeSelector: {matchLabels: {rack: a}}",
            "+------",
        ),
        (
            "jurisdictions: [DE], providers: [aws], providerJurisdictions: [CN], regions: ['eu-*'], zones: ['*1a']",
            "------?",
        ),
        // Outside its time it matches nothing, not even perhaps.
        ("jurisdictions: [DE, TR], until: '2026-01-01T00:00:00Z'", "-------"),
        ("jurisdictions: [DE, TR], from: '2027-01-01T00:00:00Z'", "-------"),
        (
            "jurisdictions: [DE, TR], from: '2026-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z', basis: why",
            "++--+??",
        ),
    ] {
        let allow = permitted(&[&policy(&format!("allow: [{{{place}}}]"))]);
        assert_eq!(allow, matches.replace('?', "-"), "allowed: {place}");
        let deny = permitted(&[&policy(&format!("deny: [{{{place}}}]"))]);
        let inverse: String = matches.chars().map(|sign| if sign == '-' { '+' } else { '-' }).collect();
        assert_eq!(deny, inverse, "denied: {place}");
    }
}

/// Some `allow` place matches, or there is no such list; and no `deny` place matches.
#[test]
fn s4_allow_and_deny() {
    for (places, expected) in [
        ("allow: [{jurisdictions: [DE]}]", "+---+--"),
        ("allow: [{jurisdictions: [DE]}, {jurisdictions: [TR]}]", "++--+--"),
        ("allow: [{jurisdictions: [DE]}, {providers: [aws]}]", "+++-++-"),
        ("deny: [{jurisdictions: [DE]}]", "-+++---"),
        ("deny: [{jurisdictions: [DE]}, {jurisdictions: [TR]}]", "--++---"),
        // deny has the last word.
        ("allow: [{jurisdictions: [DE]}], deny: [{providers: [aws]}]", "----+--"),
        ("allow: [{jurisdictions: [DE]}], deny: [{jurisdictions: [DE]}]", "-------"),
        ("allow: [{jurisdictions: [EU, TR, CN]}], deny: [{providerJurisdictions: [CN]}]", "++--+--"),
        // What is not known is not permitted by any of both, unless no list asks for it.
        ("allow: [{providers: [aws]}], deny: [{jurisdictions: [CN]}]", "++-----"),
        ("allow: [{regions: ['*']}], deny: [{providerJurisdictions: [CN]}]", "++-+++-"),
        // One that is over, and one that has not begun.
        ("allow: [{jurisdictions: [DE]}, {jurisdictions: [TR], until: '2026-01-01T00:00:00Z'}]", "+---+--"),
        (
            "allow: [{jurisdictions: [DE, TR]}], deny: [{jurisdictions: [TR], from: '2027-01-01T00:00:00Z'}]",
            "++--+--",
        ),
        // A list of which nothing counts any more allows nothing; one that denies nothing any more denies nothing.
        ("allow: [{jurisdictions: [DE], until: '2026-01-01T00:00:00Z'}]", "-------"),
        ("deny: [{jurisdictions: [DE], until: '2026-01-01T00:00:00Z'}]", "+++++++"),
    ] {
        assert_eq!(permitted(&[&policy(places)]), expected, "{places}");
    }
}

/// Such a policy permits nothing, rather than what can be read of it.
#[test]
fn s4_what_cannot_be_understood_permits_nothing() {
    for places in [
        "",
        "allow: [{jurisdictions: [FRIENDS]}]",
        "allow: [{jurisdictions: [DE, FRIENDS]}]",
        "allow: [{jurisdictions: [DE]}, {jurisdictions: [FRIENDS]}]",
        "allow: [{jurisdictions: [DE]}], deny: [{jurisdictions: [FRIENDS]}]",
        "deny: [{providerJurisdictions: [FRIENDS]}]",
        "allow: [{jurisdictions: [XX]}]",
        "allow: [{jurisdictions: [UK]}]",
        "allow: [{jurisdictions: [DE, DE-XX]}]",
        "allow: [{}]",
        "allow: [{jurisdictions: [DE]}, {}]",
        "allow: []",
        "deny: []",
        "allow: [{regions: ['eu-[']}, {jurisdictions: [DE]}]",
        "allow: [{jurisdictions: [DE], from: '2027-01-01T00:00:00Z', until: '2026-01-01T00:00:00Z'}]",
        "allow: [{jurisdictions: [DE], nodeSelector: {matchExpressions: [{key: rack, operator: Gt, values: ['1']}]}}]",
        "allow: [{jurisdictions: [DE], nodeSelector: {matchExpressions: [{key: rack, operator: In}]}}]",
        // In a selector: then nobody knows whom it selects.
        "allow: [{jurisdictions: [DE]}], objectSelector: {matchExpressions: [{key: app, operator: Is, values: [other]}]}",
        "allow: [{jurisdictions: [DE]}], namespaceSelector: {matchExpressions: [{key: app, operator: Exists, values: [x]}]}",
        "allow: [{jurisdictions: [DE]}], objectSelector: {matchExpressions: [{key: app, operator: In, values: []}]}",
        "allow: [{jurisdictions: [DE]}], objectSelector: {matchExpressions: [{key: app, operator: In}]}",
    ] {
        assert_eq!(permitted(&[&policy(places)]), "-------", "{places}");
    }
}

/// A group that a Geography defines is understood, also when that comes later.
#[test]
fn s4_a_group_of_a_geography() {
    let friends = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {groups: [{name: FRIENDS, members: [DE, TR]}]}}";
    let policy = policy("allow: [{jurisdictions: [FRIENDS]}]");
    assert_eq!(permitted(&[&policy, friends]), "++--+--");
    assert_eq!(permitted(&[friends, &policy]), "++--+--");
}

/// What may be a group of a Geography that comes later is told apart from what is wrong for good.
#[test]
fn s4_what_is_said_of_a_code_that_nobody_knows() {
    for (code, refused) in [("FRIENDS", false), ("EAA", false), ("XX", true)] {
        let problems = state(&[&policy(&format!("allow: [{{jurisdictions: [{code}]}}]"))]).problems();
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        let later = problem.message.ends_with("ntil a Geography defines it this permits nothing");
        assert_eq!((problem.refused, later), (refused, !refused), "{}", problem.message);
    }
}

/// It is no error, and mostly a slip.
#[test]
fn s4_a_region_that_nobody_knows_is_told_of() {
    for (glob, told) in [("atlantis-?", true), ("eu-central-1", false), ("us-*", false), ("mars-[0-9]", true)]
    {
        let state = state(&[&policy(&format!("deny: [{{regions: ['{glob}']}}]"))]);
        assert_eq!(state.doubts(|_| true).len(), usize::from(told), "{glob}");
    }
}
