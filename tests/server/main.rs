//! The server as a caller meets it: real TLS over loopback.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod client;
mod ends;
mod health;
mod requests;
mod setting;
mod tls;
