//! AdmissionReview in, response out: what the API server is told of an object before it is stored.
//!
//! [`Admission`] is asked. It reads the review (`review`), reads from the API server what must be known afresh
//! (`gather`), has it judged by the one judge, asks whether the user holds the verbs that the verdict calls for, and
//! words the answer (`answer`). Our own kinds are validated in `own`, records and confinement written in `mutate`.

mod admission;
mod answer;
mod gather;
mod mutate;
mod own;
mod review;
mod told;

pub use admission::{Admission, Parts};
pub use told::Tell;
