//! What is to be done, decided from what is seen: no client, no clock.
//!
//! A new certificate is served once everybody who asks is able to trust it, and a CA goes once nobody can be serving
//! what it signed. In between, the webhook configurations trust both.

use jiff::{SignedDuration, Timestamp};

use super::authority::Lifetimes;
use super::configuration::Configuration;
use super::material::{Authority, Der, Found};
use crate::server::tls::certificate::read;

/// CAs that are kept besides the one that signs: more would only come from many renewals within an overlap.
const KEPT: usize = 3;
/// Nothing is waited for longer, should a clock be set.
const AT_MOST: SignedDuration = SignedDuration::from_hours(1);

/// What is there.
pub(super) struct Seen<'a> {
    pub(super) now: Timestamp,
    /// The Secret, if it exists.
    pub(super) secret: Option<&'a Found>,
    /// Those that exist; `None` if it is not known.
    pub(super) configurations: Option<&'a [Configuration]>,
    pub(super) served: Option<&'a Served>,
    pub(super) trust: Option<&'a Trust>,
    /// What it may be called by.
    pub(super) names: &'a [String],
    pub(super) lifetimes: Lifetimes,
}

/// The certificate that is served.
#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) der: Der,
    pub(super) ca: Der,
    pub(super) until: Timestamp,
}

/// Since when every webhook configuration trusts a CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trust {
    pub(super) ca: Der,
    pub(super) since: Timestamp,
}

/// What is written into the Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// A new CA and a certificate, while these stay trusted.
    Everything {
        /// For the log.
        why: String,
        keep: Vec<Der>,
    },
    /// A new certificate of the same CA.
    Leaf {
        /// For the log.
        why: String,
        names: Vec<String>,
    },
    /// Only the CA that signs is trusted from now on.
    Retire,
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) write: Option<Write>,
    /// The configurations, by their place, that do not trust exactly what the Secret says.
    pub(super) patch: Vec<usize>,
    /// Whether the Secret's certificate is to be served from now on.
    pub(super) serve: bool,
    /// Since when every configuration trusts the Secret's CA.
    pub(super) trust: Option<Trust>,
    /// Whether whoever asks now is able to trust what is served now.
    pub(super) trusted: bool,
    /// When to look again, if nothing happens before.
    pub(super) again: Timestamp,
}

/// Decides.
pub(super) fn plan(seen: &Seen<'_>) -> Plan {
    let found = seen.secret;
    let ca = found.and_then(|found| found.bundle.first());
    let all_trust = |ca: &Der| {
        seen.configurations.is_some_and(|all| all.iter().all(|configuration| configuration.trusts(ca)))
    };
    let trust = ca.filter(|ca| all_trust(ca)).map(|ca| match seen.trust {
        Some(trust) if trust.ca == *ca => trust.clone(),
        _ => Trust { ca: ca.clone(), since: seen.now },
    });

    let mut times = vec![later(seen.now, AT_MOST)];
    let leaf = found.and_then(|found| found.leaf.as_ref().ok());
    let serve = match (leaf, seen.served) {
        (Some(_), None) => true,
        (Some(leaf), Some(served)) if served.der == leaf.der => false,
        (Some(_), Some(served)) => {
            let settled = trust.as_ref().map(|trust| later(trust.since, seen.lifetimes.settle));
            times.extend(settled);
            times.push(served.until);
            served.until <= seen.now || settled.is_some_and(|settled| settled <= seen.now)
        }
        (None, _) => false,
    };
    let trusted = match (serve, ca, seen.served) {
        (true, Some(ca), _) => all_trust(ca),
        (_, _, Some(served)) => all_trust(&served.ca),
        _ => false,
    };

    let patch = match (found, seen.configurations) {
        // What cannot be signed with is about to be replaced, and what is trusted stays so until then.
        (Some(found), Some(all)) if found.authority.is_ok() && found.leaf.is_ok() => {
            (0..all.len()).filter(|place| !all[*place].is(&found.bundle)).collect()
        }
        _ => Vec::new(),
    };
    let write = write(seen, &mut times);
    let again = times.into_iter().filter(|time| *time > seen.now).min().unwrap_or(seen.now);
    Plan { write, patch, serve, trust, trusted, again }
}

fn write(seen: &Seen<'_>, times: &mut Vec<Timestamp>) -> Option<Write> {
    let everything = |why: String| Some(Write::Everything { why, keep: kept(seen) });
    let Some(found) = seen.secret else {
        return everything("there is none".to_owned());
    };
    let authority: &Authority = match &found.authority {
        Ok(authority) => authority,
        Err(reason) => return everything(reason.clone()),
    };
    if authority.life.due() <= seen.now {
        return everything(format!("the CA ends at {}", authority.life.until));
    }
    let mut names = seen.names.to_vec();
    let why = match &found.leaf {
        Err(reason) => Some(reason.clone()),
        Ok(leaf) => {
            let missing: Vec<&str> =
                seen.names.iter().filter(|name| !leaf.names.contains(name)).map(String::as_str).collect();
            if leaf.life.due() <= seen.now {
                Some(format!("the certificate ends at {}", leaf.life.until))
            } else if missing.is_empty() {
                None
            } else {
                let why = format!("the certificate is not for {}", missing.join(", "));
                // While one version takes over from another, each may want other names.
                names.extend(leaf.names.iter().filter(|name| !seen.names.contains(name)).cloned());
                Some(why)
            }
        }
    };
    if let Some(why) = why {
        return Some(Write::Leaf { why, names });
    }
    times.push(authority.life.due());
    let leaf = found.leaf.as_ref().ok()?;
    times.push(leaf.life.due());
    if found.bundle.len() > 1 {
        let retire = later(leaf.life.made, seen.lifetimes.overlap);
        times.push(retire);
        return (retire <= seen.now).then_some(Write::Retire);
    }
    None
}

/// Who is trusted now and has to stay so for a while, because a replica may be serving what they signed.
fn kept(seen: &Seen<'_>) -> Vec<Der> {
    let of_secret = seen.secret.into_iter().flat_map(|found| &found.bundle);
    let of_configurations = seen.configurations.into_iter().flatten().flat_map(Configuration::trusted);
    let mut kept: Vec<(Timestamp, &Der)> = Vec::new();
    for ca in of_secret.chain(of_configurations) {
        if let Ok((from, until, _)) = read(ca)
            && until > seen.now
            && !kept.iter().any(|(_, other)| *other == ca)
        {
            kept.push((from, ca));
        }
    }
    kept.sort_by(|(one, _), (other, _)| other.cmp(one));
    kept.into_iter().take(KEPT).map(|(_, ca)| ca.clone()).collect()
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
