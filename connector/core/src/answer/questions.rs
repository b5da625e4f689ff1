//! Questions that were understood a moment ago: a text means what it meant.

use crate::recent::Recent;
use crate::{Caller, Request, syntax};
use oxrdf::NamedNode;
use spargebra::Query;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many questions are kept: twice this, in two halves.
const HALF: usize = 512;
/// Longer texts are not kept, in bytes.
const LONGEST: usize = 2048;

/// Questions by who asked and their text, in bounded memory.
///
/// Nobody can tell by the time that its answer takes what others asked: each caller finds its own questions only.
pub struct QuestionCache(Mutex<Recent<Asked, Arc<Question>>>);

/// Who asked what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    participant: NamedNode,
    subject: String,
    base: Option<String>,
    text: String,
}

/// A question that is understood.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) query: Query,
    /// Whether its answer takes no time worth speaking of, as far as is known yet.
    is_brief: AtomicBool,
}

impl Asked {
    pub(super) fn new(caller: &Caller, request: &Request) -> Self {
        Self {
            participant: caller.participant().clone(),
            subject: caller.subject().to_owned(),
            base: request.base.clone(),
            text: request.query.clone(),
        }
    }
}

impl Question {
    fn new(query: Query) -> Self {
        Self {
            is_brief: AtomicBool::new(syntax::is_brief(&query)),
            query,
        }
    }

    pub(super) fn is_brief(&self) -> bool {
        self.is_brief.load(Ordering::Relaxed)
    }

    /// Its answer takes longer than that.
    pub(super) fn takes_time(&self) {
        self.is_brief.store(false, Ordering::Relaxed);
    }
}

impl QuestionCache {
    pub(super) fn get(&self, asked: &Asked) -> Option<Arc<Question>> {
        self.kept().get(asked)
    }

    /// Keeps a question, if it is short.
    pub(super) fn put(&self, asked: Asked, query: Query) -> Arc<Question> {
        let question = Arc::new(Question::new(query));
        let base = asked.base.as_ref().map_or(0, String::len);
        if asked.text.len() + base <= LONGEST {
            self.kept().put(asked, Arc::clone(&question));
        }
        question
    }

    fn kept(&self) -> MutexGuard<'_, Recent<Asked, Arc<Question>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for QuestionCache {
    fn default() -> Self {
        Self(Mutex::new(Recent::new(HALF)))
    }
}

impl std::fmt::Debug for QuestionCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuestionCache").finish_non_exhaustive()
    }
}
