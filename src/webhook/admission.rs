//! The one who answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use super::answer::Answer;
use super::gather::{Extent, TIMEOUT, gather};
use super::mutate::{self, Mutation};
use super::own::{self, OwnChange};
use super::review::{OTHER, Operation, Request as Review};
use super::told::{self, Tell};
use crate::cluster::access::Authorizer;
use crate::cluster::reader::Reader;
use crate::cluster::{Fresh, Shared, State};
use crate::objects::Object;
use crate::residency::{Authorization, Request, Verdict, is_judged, judge};
use crate::server::{Call, Metrics, Reply, Reviewer};

/// What answering takes.
#[derive(Clone)]
pub struct Parts {
    /// What is known of the cluster.
    pub shared: Shared,
    /// Where what is not known yet is read.
    pub reader: Reader,
    /// Who says which verbs a user holds.
    pub authorizer: Authorizer,
    /// Who tells the cluster of what is refused.
    pub tell: Tell,
    /// What is counted.
    pub metrics: Metrics,
}

/// Answers reviews.
#[derive(Clone)]
pub struct Admission(Arc<Room>);

/// What all answers share.
struct Room {
    parts: Parts,
    /// For who judges everything that exists, to say what a change would do to it: one at a time, or those who make
    /// pods would wait for all who change policies.
    impact: Arc<Semaphore>,
}

impl std::ops::Deref for Room {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// How long a change of policies waits for its turn to be told what it would do.
const TURN: Duration = Duration::from_secs(2);
/// What is left of the time for an answer, once what a change would do has taken the rest.
const RESERVE: Duration = Duration::from_millis(200);

/// What a review is about.
enum Subject {
    /// Nothing that is judged.
    Other,
    /// An object of our own kinds.
    Own(OwnChange),
    /// An object that is judged.
    Judged(Arc<Change>),
}

/// A change of an object that is judged.
struct Change {
    object: Object,
    old: Option<Object>,
    /// The node whose kubelet asks.
    by_node: Option<String>,
}

impl Change {
    fn request(&self) -> Request<'_> {
        // Patches are written before anything is validated, and what others wrote after ours is there too.
        Request {
            object: &self.object,
            old: self.old.as_ref(),
            by_node: self.by_node.as_deref(),
            as_written: true,
            is_there: self.old.is_some(),
        }
    }

    /// How much is read before it is judged. Where a node is decided nobody asks again before data is there.
    fn extent(&self) -> Extent {
        let decides_node = match &self.object {
            Object::Binding(_) => true,
            Object::Pod(pod) => self.old.is_none() && !pod.spec.node_name.is_empty(),
            _ => self.request().chooses_node(),
        };
        Extent { known: decides_node, waiting: self.request().opens_claim() }
    }

    /// Whether its judgement looks at many objects, and would hold up other requests.
    fn is_wide(&self) -> bool {
        matches!(self.object, Object::Node(_) | Object::Namespace(_) | Object::StorageClass(_))
    }
}

/// A verdict, and where the object is if one node decides that.
type Judged = (Verdict, Option<String>);

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admission")
    }
}

impl Admission {
    /// One that has these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Room { parts, impact: Arc::new(Semaphore::new(1)) }))
    }

    async fn reply<'a, F>(&'a self, call: &'a Call, answer: impl FnOnce(Review<'a>) -> F) -> Reply
    where
        F: Future<Output = (Review<'a>, Answer)>,
    {
        let begun = Instant::now();
        let review = match Review::read(&call.body) {
            Ok(review) => review,
            Err(error) => return refuse_call(&error.to_string()),
        };
        let (review, answer) = answer(review).await;
        told::log(&review, &answer);
        self.0.metrics.reviewed(
            review.known_kind(),
            review.operation.as_str(),
            answer.decision(),
            begun.elapsed(),
        );
        match answer.into_body(&review.uid) {
            Ok(body) => Reply { status: StatusCode::OK, body },
            Err(error) => refuse_call(&error.to_string()),
        }
    }

    async fn validated(&self, review: &Review<'_>, deadline: tokio::time::Instant) -> Answer {
        let subject = match self.subject(review) {
            Ok(subject) => subject,
            Err(refusal) => return refusal,
        };
        match subject {
            Subject::Other => Answer::allow(),
            Subject::Own(change) => self.own(change, review, deadline).await,
            Subject::Judged(change) => match self.judged(change.clone(), review).await {
                Ok((verdict, location)) => {
                    told::tell(&self.0.tell, &self.0.shared, review, &change.object, &verdict);
                    Answer::of(&verdict, location)
                }
                Err(refusal) => refusal,
            },
        }
    }

    async fn gather(&self, object: &Object, extent: Extent, until: Instant) -> Result<Vec<Fresh>, Answer> {
        let Parts { shared, reader, metrics, .. } = &self.0.parts;
        gather(shared, reader, metrics, object, extent, until).await.map_err(|error| {
            let refused = object.reference();
            tracing::warn!(object = %refused, %error, "not judged, so refused");
            Answer::refuse(format!(
                "{refused} cannot be judged: {error}. What is not known is not permitted; try again, and see the log of \
                 Domicile if this lasts"
            ))
        })
    }

    /// What a review is about, or why it is refused unheard.
    fn subject(&self, review: &Review<'_>) -> Result<Subject, Answer> {
        if matches!(review.operation, Operation::Connect) {
            return Ok(Subject::Other);
        }
        let pending = self.0.shared.pending();
        if !pending.is_empty() {
            let kinds: Vec<_> = pending.iter().map(|kind| kind.as_str()).collect();
            return Err(Answer::refuse(format!(
                "Domicile has not read the cluster yet (missing: {}), and admits nothing that it cannot judge; try again in \
                 a moment",
                kinds.join(", ")
            )));
        }
        let unread =
            |error| Answer::refuse(format!("the object cannot be read, so it cannot be judged: {error}"));
        let new = review.new_object().map_err(unread)?;
        let old = match review.old_object() {
            // Of our own kinds, one that cannot be read must not stand in the way of its correction.
            Err(_) if review.is_about_own_kind() => None,
            old => old.map_err(unread)?,
        };
        if new.as_ref().or(old.as_ref()).is_some_and(own::is_own) {
            return Ok(Subject::Own(OwnChange { operation: review.operation, new, old }));
        }
        let stores = matches!(review.operation, Operation::Create | Operation::Update);
        if stores && new.is_none() && review.known_kind() != OTHER {
            return Err(Answer::refuse("the review holds no object, so it cannot be judged"));
        }
        let by_node = review.user_info.node().map(str::to_owned);
        Ok(match new {
            Some(object) if is_judged(&object) && review.operation != Operation::Delete => {
                if let Some(message) = misnamed(&object, review) {
                    return Err(Answer::refuse(message));
                }
                Subject::Judged(Arc::new(Change { object, old, by_node }))
            }
            _ => Subject::Other,
        })
    }

    /// The verdict, in which the verbs that the user lacks have become findings.
    async fn judged(&self, change: Arc<Change>, review: &Review<'_>) -> Result<Judged, Answer> {
        let until = Instant::now() + TIMEOUT;
        let extent = change.extent();
        let fresh = self.gather(&change.object, extent, until).await?;
        let shared = self.0.shared.clone();
        let wide = change.is_wide();
        let ask = move || {
            shared.ask_with(fresh, |state| {
                let verdict = judge(&change.request(), state, Timestamp::now());
                let location = location(&change.object, state);
                (verdict, location)
            })
        };
        let (mut verdict, location) = if wide {
            tokio::task::spawn_blocking(ask).await.map_err(|error| Answer::refuse(broken(&error)))?
        } else {
            ask()
        };
        let requires = std::mem::take(&mut verdict.requires);
        let lacking = self.lacking(requires, review, until).await?;
        verdict.deny(lacking.into_iter().map(|one| one.finding));
        Ok((verdict, location))
    }

    async fn own(&self, change: OwnChange, review: &Review<'_>, deadline: tokio::time::Instant) -> Answer {
        let lacking = match self.lacking(change.requires(), review, Instant::now() + TIMEOUT).await {
            Ok(lacking) => lacking,
            Err(refusal) => return refusal,
        };
        if !lacking.is_empty() {
            return own::lacking(&change, &lacking);
        }
        let shared = self.0.shared.clone();
        let ask = move || {
            // A copy: nobody waits for a judgement of everything.
            let before = shared.read().clone();
            let (answer, after) = change.answer(&before);
            (answer, after.map(|after| (before, after)))
        };
        let told = match tokio::task::spawn_blocking(ask).await {
            Ok((answer, None)) => return answer,
            Ok((answer, Some((before, after)))) => {
                self.impact(before, after, deadline).await.map(|told| (answer, told))
            }
            Err(error) => Err(error),
        };
        match told {
            Ok((mut answer, told)) => {
                answer.warnings.extend(told);
                answer
            }
            Err(error) => Answer::refuse(broken(&error)),
        }
    }

    /// What a change would do to what exists, if there is time to find out.
    async fn impact(
        &self,
        before: State,
        after: State,
        deadline: tokio::time::Instant,
    ) -> Result<Vec<String>, JoinError> {
        let (enough, now) = (deadline - RESERVE, tokio::time::Instant::now());
        let not_told = || vec![own::NOT_TOLD.to_owned()];
        if enough <= now {
            return Ok(not_told());
        }
        let turn = Arc::clone(&self.0.impact).acquire_owned();
        let turn = tokio::time::timeout_at(enough.min(now + TURN), turn).await;
        let Ok(Ok(turn)) = turn else { return Ok(not_told()) };
        let finding_out = tokio::task::spawn_blocking(move || {
            // Kept until it is done, also if nobody waits for it any more.
            let _turn = turn;
            own::impact(&before, &after, Timestamp::now())
        });
        // The change itself is in order, and must not fail because there is much that it concerns.
        tokio::time::timeout_at(enough, finding_out).await.unwrap_or_else(|_| Ok(not_told()))
    }

    /// Those of these verbs that the user does not hold.
    async fn lacking(
        &self,
        requires: Vec<Authorization>,
        review: &Review<'_>,
        until: Instant,
    ) -> Result<Vec<Authorization>, Answer> {
        if requires.is_empty() {
            return Ok(requires);
        }
        let user = review.user_info.as_user();
        let asked = requires.into_iter().map(|one| async {
            let left = until.saturating_duration_since(Instant::now());
            let held = self.0.authorizer.may(&user, one.verb.as_str(), &one.policy, left).await;
            (one, held)
        });
        let mut lacking = Vec::new();
        for (one, held) in futures::future::join_all(asked).await {
            match held {
                Ok(true) => {}
                Ok(false) => lacking.push(one),
                Err(error) => {
                    self.0.metrics.live_read("SubjectAccessReview", error.result());
                    let what = one.finding.sentence();
                    return Err(Answer::refuse(format!(
                        "{what}: {error}; what is not known is not permitted, try again"
                    )));
                }
            }
        }
        Ok(lacking)
    }

    async fn mutated(&self, review: &Review<'_>) -> Answer {
        let change = match self.subject(review) {
            Ok(Subject::Judged(change)) => change,
            Ok(_) => return Answer::allow(),
            Err(refusal) => return refusal,
        };
        let (object, Some(raw)) = (&change.object, review.object) else { return Answer::allow() };
        // What is recorded outlives what it was read from, so it is read now.
        let extent = Extent { known: !matches!(object, Object::Pod(_)), waiting: false };
        let fresh = match self.gather(object, extent, Instant::now() + TIMEOUT).await {
            Ok(fresh) => fresh,
            Err(refusal) => return refusal,
        };
        let unpatched =
            |error| Answer::refuse(format!("{} could not be patched: {error}", object.reference()));
        if let Object::Binding(binding) = object {
            let patch = mutate::identify(binding, raw.get(), &fresh);
            return patch.map_or_else(unpatched, |patch| Answer { patch, ..Answer::allow() });
        }
        let is_new = review.operation == Operation::Create;
        let mutation = self
            .0
            .shared
            .ask_with(fresh, |state| mutate::mutate(object, is_new, raw.get(), state, Timestamp::now()));
        match mutation {
            Ok(Mutation { patch, confined_by }) => {
                if !confined_by.is_empty() {
                    told::confined(&self.0.tell, &self.0.shared, review, object, &confined_by);
                }
                Answer { patch, ..Answer::allow() }
            }
            Err(error) => unpatched(error),
        }
    }
}

impl Reviewer for Admission {
    async fn validate(&self, call: Call) -> Reply {
        self.reply(&call, async |review| {
            let answer = self.validated(&review, call.deadline).await;
            (review, answer)
        })
        .await
    }

    async fn mutate(&self, call: Call) -> Reply {
        self.reply(&call, async |review| {
            let answer = self.mutated(&review).await;
            (review, answer)
        })
        .await
    }
}

/// A body that is no review.
fn refuse_call(message: &str) -> Reply {
    Reply { status: StatusCode::BAD_REQUEST, body: format!("domicile: {message}\n").into_bytes() }
}

fn broken(error: &JoinError) -> String {
    tracing::error!(%error, "a judgement has failed");
    "a part of Domicile has failed, and its log says which: what is not judged is not admitted".to_owned()
}

/// Why an object is not the one that the request is about.
fn misnamed(object: &Object, review: &Review<'_>) -> Option<String> {
    let reference = object.reference();
    let other = |asked: &str, said: &str| !asked.is_empty() && !said.is_empty() && asked != said;
    let differs = other(&review.namespace, &reference.namespace)
        || matches!(object, Object::Binding(_)) && other(&review.name, &reference.name);
    differs.then(|| {
        format!("{reference} is not what the request is about, which is {}/{}", review.namespace, review.name)
    })
}

/// Where an object is that names its node.
fn location(object: &Object, state: &State) -> Option<String> {
    let node = match object {
        Object::Binding(binding) => &binding.target.name,
        Object::Pod(pod) => &pod.spec.node_name,
        Object::Attachment(attachment) => &attachment.spec.node_name,
        _ => return None,
    };
    let node = state.nodes().get(node)?;
    Some(state.sites().get(node.site).location.to_string())
}

#[cfg(test)]
mod tests;
