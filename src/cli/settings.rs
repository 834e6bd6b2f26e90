//! Options that several commands share, and what they are parsed into.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::output::Format;
use crate::api::keys;
use crate::cluster::{self, Settings};
use crate::geography::{Defaults, Jurisdiction, iso};
use crate::placement::selector::Selector;

/// Where the objects of the cluster come from.
#[derive(Debug, clap::Args)]
pub(super) struct ClusterArgs {
    /// Read the cluster's objects from files instead of the current kubeconfig's cluster
    ///
    /// Files, folders (*.yaml, *.yml and *.json in them, hidden ones excepted) or `-` for standard input: what
    /// `kubectl get nodes,ns,sc,pv,pvc,pods,deploy,sts,ds,rs,rc,jobs,cj,volumeattachments,respol,geo,resex -A -o yaml`
    /// prints, or `-o json`; where the cluster has snapshots, volumesnapshots, volumesnapshotcontents and
    /// volumesnapshotclasses too. Kinds that are left out are missing from the judgement; a note says which. One file may
    /// hold up to 1 GiB. Without this option, the cluster of the current kubeconfig is read, and nothing is written.
    #[arg(long, value_name = "PATH", num_args = 1.., env = "DOMICILE_CLUSTER")]
    pub(super) cluster: Vec<PathBuf>,
}

/// What to make of the verdicts.
#[derive(Debug, clap::Args)]
pub(super) struct VerdictArgs {
    /// Print the results in this format
    #[arg(short, long, value_enum, default_value_t, env = "DOMICILE_OUTPUT")]
    pub(super) output: Format,

    /// Exit with status 1 for warnings too
    #[arg(long, env = "DOMICILE_STRICT", value_parser = FalseyValueParser::new())]
    pub(super) strict: bool,

    #[command(flatten)]
    pub(super) time: TimeArgs,
}

/// The formats of what is no list of verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PlainFormat {
    /// For people.
    #[default]
    Table,
    /// For scripts.
    Json,
}

/// When it is judged.
#[derive(Debug, clap::Args)]
pub(super) struct TimeArgs {
    /// Judge as it will be, or was, at this time
    ///
    /// RFC 3339 (2027-07-10T00:00:00Z), or a date, which means its beginning in UTC. Places and exceptions that are
    /// bounded in time are judged by it. Without this option: now.
    #[arg(long, value_name = "TIME", value_parser = time, env = "DOMICILE_AT")]
    at: Option<Timestamp>,
}

impl TimeArgs {
    pub(super) fn get(&self) -> Timestamp {
        self.at.unwrap_or_else(Timestamp::now)
    }

    /// The time that was given, if one was.
    pub(super) fn given(&self) -> Option<Timestamp> {
        self.at
    }
}

/// Reads a time, or a date.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let date = |text: &str| text.parse::<Date>()?.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    // A time without its zone would be read as a date, too.
    let is_date = text.len() == "2027-07-10".len();
    let read = if is_date { date(text) } else { text.parse::<Timestamp>() };
    read.map_err(|_| "write 2027-07-10T00:00:00Z, with a time zone, or 2027-07-10".to_owned())
}

/// What an operator sets for a whole cluster; the chart has the same values for the webhook.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "As the cluster's webhook is set")]
pub(super) struct SettingsArgs {
    /// Read classifications from this annotation and label too
    ///
    /// May be repeated. domicile.dev/data-classification is always read.
    #[arg(long, value_name = "KEY", value_parser = key, value_delimiter = ',', env = "DOMICILE_CLASSIFICATION_KEY")]
    classification_key: Vec<String>,

    /// What a classification that no policy governs leads to
    #[arg(long, value_enum, default_value_t, value_name = "ACTION", env = "DOMICILE_UNGOVERNED")]
    ungoverned: Ungoverned,

    /// Refuse what carries no classification in namespaces with these labels
    ///
    /// A label selector as kubectl takes it, such as `env=prod,team in (a,b)`. An empty one means every namespace.
    /// Without this option, nothing needs to carry one.
    #[arg(long, value_name = "SELECTOR", value_parser = super::selector::parse, env = "DOMICILE_REQUIRE_CLASSIFICATION")]
    require_classification: Option<Selector>,

    /// Where nodes are of which nothing else says it, such as DE or CA-QC
    ///
    /// Without this option, it is unknown where they are, and unknown never permits.
    #[arg(long, value_name = "CODE", value_parser = jurisdiction, env = "DOMICILE_CLUSTER_JURISDICTION")]
    cluster_jurisdiction: Option<Jurisdiction>,

    /// The country whose law binds the operator of nodes of which nothing else says it, such as DE
    ///
    /// Without this option, it is unknown, and unknown never permits.
    #[arg(long, value_name = "CODE", value_parser = country, env = "DOMICILE_CLUSTER_PROVIDER_JURISDICTION")]
    cluster_provider_jurisdiction: Option<Jurisdiction>,
}

/// What happens to a classification that no policy governs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Ungoverned {
    /// A warning that names the nearest governed one.
    #[default]
    Warn,
    /// A denial.
    Deny,
}

impl SettingsArgs {
    /// As the state takes them.
    pub(super) fn get(&self) -> Settings {
        let mut classification_keys = vec![keys::CLASSIFICATION.to_owned()];
        for key in &self.classification_key {
            if !classification_keys.contains(key) {
                classification_keys.push(key.clone());
            }
        }
        Settings {
            classification_keys,
            ungoverned: match self.ungoverned {
                Ungoverned::Warn => cluster::Ungoverned::Warn,
                Ungoverned::Deny => cluster::Ungoverned::Deny,
            },
            required: self.require_classification.clone(),
            defaults: Defaults {
                jurisdiction: self.cluster_jurisdiction,
                provider_jurisdiction: self.cluster_provider_jurisdiction,
            },
        }
    }
}

fn jurisdiction(text: &str) -> Result<Jurisdiction, String> {
    iso::parse(text).map_err(|error| error.to_string())
}

fn country(text: &str) -> Result<Jurisdiction, String> {
    let code = jurisdiction(text)?;
    if code.is_subdivision() {
        Err(format!("{text} is a part of a country: write {}", code.country()))
    } else {
        Ok(code)
    }
}

/// A key of an annotation: a name, or a domain and a name.
fn key(text: &str) -> Result<String, String> {
    let name = text.split_once('/').map_or(text, |(_, name)| name);
    let domain = text.split_once('/').map(|(domain, _)| domain);
    let word = |text: &str, punctuation: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        ends(text.chars().next())
            && ends(text.chars().next_back())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || punctuation.contains(c))
    };
    if word(name, "-_.") && name.len() <= 63 && domain.is_none_or(|domain| word(domain, "-.")) {
        Ok(text.to_owned())
    } else {
        Err("write it as example.com/data-classification".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let midnight = "2027-07-10T00:00:00Z".parse::<Timestamp>().unwrap();
        assert_eq!(time("2027-07-10"), Ok(midnight));
        assert_eq!(time("2027-07-10T02:00:00+02:00"), Ok(midnight));
        for wrong in ["", "tomorrow", "2027-13-01", "2027-07-10T00:00:00", "10.7.2027"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn countries_are_no_subdivisions() {
        assert!(country("DE").is_ok());
        assert_eq!(country("CA-QC").unwrap_err(), "CA-QC is a part of a country: write CA");
        assert!(country("de").is_err() && jurisdiction("EEA").is_err());
    }

    #[test]
    fn keys_of_annotations() {
        assert!(key("example.com/data-class").is_ok() && key("data_class").is_ok());
        for wrong in ["", "/", "a/", "/a", "a/b/c", "a b", "-a", "a@b"] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }
}
