//! The tasks of a daemon. None of them is meant to end: the first that does ends the daemon, by name.

use std::collections::BTreeMap;
use std::future::Future;

use anyhow::Context;
use tokio::task::{Id, JoinError, JoinSet};

/// A set of named tasks. Dropping it aborts them all.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<anyhow::Result<()>>,
    names: BTreeMap<Id, &'static str>,
}

/// One task that has ended.
#[derive(Debug)]
pub struct Ended {
    /// As it was given to [`Tasks::spawn`].
    pub name: &'static str,
    /// How: of its own accord, with an error, or by a panic.
    pub result: anyhow::Result<()>,
}

impl Tasks {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. `name` is a role a technician knows: `input scan`, not a type.
    pub fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name);
    }

    /// The next task to end; never, while there is none.
    pub async fn ended(&mut self) -> Ended {
        match self.set.join_next_with_id().await {
            Some(Ok((id, result))) => Ended { name: self.forget(id), result },
            Some(Err(error)) => Ended { name: self.forget(error.id()), result: Err(broken(error)) },
            None => std::future::pending().await,
        }
    }

    /// Works until `stop` resolves (`Ok`), or until any task ends, which is an error whatever its result.
    /// The tasks that are left keep running: wind them down by closing their inputs, or drop the set.
    ///
    /// # Errors
    /// Names the task that ended.
    pub async fn run_until(&mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::select! {
            () = stop => Ok(()),
            ended = self.ended() => ended.into_error(),
        }
    }

    /// Waits for all that are left to end by themselves; the first failure is kept, after all have ended.
    ///
    /// # Errors
    /// Names the first task that failed.
    pub async fn drain(mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        while !self.set.is_empty() {
            let Ended { name, result } = self.ended().await;
            outcome = outcome.and(result.with_context(|| format!("task `{name}` failed on the way down")));
        }
        outcome
    }

    fn forget(&mut self, id: Id) -> &'static str {
        self.names.remove(&id).unwrap_or("unnamed")
    }
}

impl Ended {
    /// A task that ends while the daemon serves is an error, even if it says it is content.
    ///
    /// # Errors
    /// Always.
    pub fn into_error(self) -> anyhow::Result<()> {
        match self.result {
            Ok(()) => anyhow::bail!("task `{}` ended and should not have", self.name),
            Err(error) => Err(error.context(format!("task `{}` failed", self.name))),
        }
    }
}

fn broken(error: JoinError) -> anyhow::Error {
    anyhow::Error::new(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(result: anyhow::Result<()>) -> String {
        result.map_or_else(|error| format!("{error:#}"), |()| "ok".into())
    }

    #[tokio::test]
    async fn the_first_task_to_end_is_named_with_its_reason() {
        let mut tasks = Tasks::new();
        tasks.spawn("link", std::future::pending());
        tasks.spawn("input scan", async { anyhow::bail!("no such line") });
        let end = tasks.run_until(std::future::pending()).await;
        assert_eq!(said(end), "task `input scan` failed: no such line");
    }

    #[tokio::test]
    async fn a_task_that_ends_content_ends_the_daemon_too() {
        let mut tasks = Tasks::new();
        tasks.spawn("link", async { Ok(()) });
        let end = tasks.run_until(std::future::pending()).await;
        assert_eq!(said(end), "task `link` ended and should not have");
    }

    #[tokio::test]
    async fn stop_is_a_good_end_and_what_is_left_is_drained() {
        let mut tasks = Tasks::new();
        tasks.spawn("spool", async { anyhow::bail!("disk full") });
        tasks.spawn("link", async { Ok(()) });
        assert_eq!(said(Tasks::new().run_until(async {}).await), "ok");
        assert_eq!(said(tasks.drain().await), "task `spool` failed on the way down: disk full");
    }

    #[tokio::test]
    async fn a_panic_is_named_too() {
        let mut tasks = Tasks::new();
        tasks.spawn("codec", async { panic!("index 7") });
        let end = said(tasks.run_until(std::future::pending()).await);
        assert!(end.starts_with("task `codec` failed:") && end.contains("panicked"), "{end}");
    }
}
