//! What is written about what happens: JSON for collectors, text for people, one line each.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// What to write.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logs")]
pub struct LogOptions {
    /// Write the log in this format
    #[arg(long, value_enum, default_value_t, env = "DOMICILE_LOG_FORMAT")]
    pub log_format: Format,

    /// Write what is at least this important: error, warn, info, debug or trace
    ///
    /// Also by part of the program, such as `info,domicile::server=debug,kube_client=debug`.
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level, env = "DOMICILE_LOG_LEVEL")]
    pub log_level: String,
}

fn level(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|error| format!("{error}; write error, warn, info, debug, trace, or PART=LEVEL,…"))
}

/// Begins to write to standard error, panics too. Once a process; a second call changes nothing.
pub fn start(options: &LogOptions) {
    let filter = EnvFilter::try_new(&options.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let started = match options.log_format {
        Format::Json => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(false)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
        Format::Text => {
            let colour =
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            registry
                .with(tracing_subscriber::fmt::layer().with_ansi(colour).with_writer(std::io::stderr))
                .try_init()
        }
    };
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            let reason = reason(panic.payload());
            // Empty unless RUST_BACKTRACE asks for it.
            let backtrace = Backtrace::capture();
            let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
            tracing::error!(
                reason,
                location,
                backtrace,
                "a part of the program has failed; please report this as a bug"
            );
        }));
    }
}

/// What a panic says.
pub(super) fn reason(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason is given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        assert!(level("info").is_ok() && level("warn,domicile::server=debug").is_ok());
        let error = level("domicile=loud").unwrap_err();
        assert!(error.contains("write error, warn"), "{error}");
    }
}
