//! What every section is made of: tables, moments, names. `maud` escapes every text that goes through here.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::geography::iso;
use crate::objects::ObjectRef;
use crate::residency::{Cut, Placed, safe};

/// What stands for what is not known.
pub(super) const UNKNOWN: &str = "not known";

/// A moment, for people and for programs.
pub(super) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at.to_string()) { (at.strftime("%Y-%m-%d %H:%M UTC").to_string()) } }
}

/// A moment, or a word for none.
pub(super) fn moment_or(at: Option<Timestamp>, none: &str) -> Markup {
    at.map_or_else(|| html! { (none) }, moment)
}

/// `DE (Germany)`; a code that ISO does not know stands alone.
pub(super) fn country(code: Option<&str>) -> String {
    match code {
        None => UNKNOWN.to_owned(),
        Some(code) => iso::name(code).map_or_else(|| code.to_owned(), |name| format!("{code} ({name})")),
    }
}

/// An object as people name it.
pub(super) fn name(object: &ObjectRef) -> String {
    safe(&object.to_string())
}

/// A list of words, or a dash.
pub(super) fn words<T: AsRef<str>>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(|one| safe(one.as_ref())).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

/// A column of a table: its heading, and whether it holds numbers.
pub(super) type Column = (&'static str, bool);

/// A table with a caption. The first cell of a row is its heading.
pub(super) fn table(caption: &str, columns: &[Column], rows: &[Vec<Markup>]) -> Markup {
    let class = |number: bool| number.then_some("number");
    html! {
        // What scrolls is to be reached without a mouse.
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { span { (caption) } }
                thead { tr { @for (heading, number) in columns { th scope="col" class=[class(*number)] { (heading) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (index, (cell, (_, number))) in row.iter().zip(columns).enumerate() {
                                @if index == 0 { th scope="row" { (cell) } }
                                @else { td class=[class(*number)] { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Says how many rows of a list are not there.
pub(super) fn left_out<T>(cut: &Cut<T>) -> Markup {
    html! {
        @if cut.left_out > 0 {
            p.soft { "These are the first " (cut.shown.len()) " of " (cut.len()) "; " (cut.left_out) " more are left out." }
        }
    }
}

/// What is where, as a table.
pub(super) fn places(caption: &str, places: &[Placed]) -> Markup {
    let columns = [
        ("Jurisdiction", false),
        ("Pods", true),
        ("Volumes", true),
        ("Snapshots", true),
        ("Could be there", true),
    ];
    let number = |number: usize| html! { (number) };
    let row = |place: &Placed| {
        vec![
            html! { (country(place.jurisdiction.as_deref())) },
            number(place.pods),
            number(place.volumes),
            number(place.snapshots),
            number(place.could),
        ]
    };
    table(caption, &columns, &places.iter().map(row).collect::<Vec<_>>())
}
