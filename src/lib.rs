//! Domicile keeps data where the law says it must live.
//!
//! The crate is a house of rooms. Data falls from the bottom of this list to the top once, and a room
//! imports only rooms above it in the list. Read them in this order:
//!
//! 1. [`api`]: what users write: the custom resources and the annotation keys, schema only.
//! 2. [`objects`]: Kubernetes' own objects, reduced to what judgement reads.
//! 3. [`geography`]: jurisdictions, groups, the catalog of clouds, and where a node or a volume is.
//! 4. [`placement`]: selectors, terms, taints: which nodes can take an object.
//! 5. [`policy`]: residency policies compiled: whom they select and which locations they permit.
//! 6. [`cluster`]: what is known of the cluster, as indexes that take objects and never a client.
//! 7. [`residency`]: `judge(request, &State, now) -> Verdict`: the one answer that every surface gives.
//! 8. [`server`]: HTTPS for the API server, its certificates, metrics, logs, and how it begins and ends.
//! 9. [`controller`]: what is done beside answering: events, and how the state fares.
//! 10. [`webhook`]: AdmissionReview in, response out.
//! 11. [`cli`]: the command line.
//!
//! The first five and `residency` are pure: no client, no clock, no environment. `cluster::load` (files) and
//! `cluster::live` (a kubeconfig) are where objects come in.

pub mod api;
pub mod cli;
pub mod cluster;
pub mod controller;
pub mod geography;
pub mod objects;
pub mod placement;
pub mod policy;
pub mod residency;
pub mod server;
pub mod webhook;
