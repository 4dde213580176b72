//! `--before` and `--after`: user commands around phases.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::session::Session;
use super::values;
use crate::console::Console;
use bootstorm_engine::children::Started;
use bootstorm_engine::cluster::lease::Held;
use bootstorm_engine::cluster::store::RunStore;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseState, RunRecord};
use bootstorm_report::{Report, Selection};

/// Maximum length of a line of output; a longer one is split.
const MOST_OF_LINE: u64 = 4096;
/// How long output is read after a hook has ended: a process that it left behind may keep the pipe open.
const LAST_LINES: Duration = Duration::from_millis(500);

/// What a failed hook leads to
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum HookFailure {
    /// End the command with exit code 1; a phase does not begin
    #[default]
    Stop,
    /// Warn and continue
    Warn,
}

/// Flags for commands around phases
#[derive(Debug, Clone, Args)]
pub struct HookArgs {
    /// Run a shell command before each create, stop or storm, such as 'storm=./drop-caches.sh' (can be repeated)
    #[arg(long, value_name = "PHASE=COMMAND", value_parser = hook)]
    pub before: Vec<Hook>,
    /// Run a shell command after each create, stop or storm; its report is in the file `$BOOTSTORM_RESULT` (can be
    /// repeated)
    #[arg(long, value_name = "PHASE=COMMAND", value_parser = hook)]
    pub after: Vec<Hook>,
    /// Time limit for each command of --before and --after
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = values::limit)]
    pub hook_timeout: Duration,
    /// What to do when a command of --before or --after fails
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub hook_failure: HookFailure,
}

/// A command around the phases of a kind
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    kind: PhaseKind,
    command: String,
}

fn hook(text: &str) -> Result<Hook, String> {
    let (word, command) = text.split_once('=').ok_or("write it like storm=COMMAND")?;
    let kinds = [PhaseKind::Create, PhaseKind::Stop, PhaseKind::Storm];
    let kind = kinds.into_iter().find(|kind| kind.word() == word);
    let kind = kind.ok_or_else(|| format!("`{word}` is not create, stop or storm"))?;
    if command.trim().is_empty() {
        return Err(format!("there is no command after {word}="));
    }
    Ok(Hook { kind, command: command.to_owned() })
}

/// On which side of a phase a hook runs
#[derive(Debug, Clone, Copy)]
enum Side {
    Before,
    After,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Reason why a hook did not succeed
enum Ended {
    Interrupted,
    Failed(String),
}

/// A phase with hooks around it
struct Place<'a> {
    session: &'a Session,
    prefix: &'a str,
    phase: PhaseName,
    side: Side,
    /// Report of the phase.
    result: Option<&'a Path>,
}

impl HookArgs {
    /// Records that a hook is to run after a phase; the mark is saved with the phase.
    pub(super) fn note(&self, record: &mut RunRecord, phase: PhaseName) {
        if of(&self.after, phase).next().is_some() && !record.after_due.contains(&phase) {
            record.after_due.push(phase);
        }
    }

    /// Runs the hooks before a phase.
    pub(super) async fn before(
        &self,
        session: &Session,
        prefix: &str,
        phase: PhaseName,
    ) -> Result<(), Failure> {
        let place = Place { session, prefix, phase, side: Side::Before, result: None };
        self.run(&self.before, &place).await
    }

    /// Runs the hooks after finished phases, and records their completion.
    pub(super) async fn after(
        &self,
        session: &Session,
        record: &mut RunRecord,
        store: &mut RunStore,
    ) -> Result<(), Failure> {
        for phase in self.due(record) {
            let result = ResultFile::of(record, phase)?;
            let prefix = &record.plan.prefix;
            let place = Place { session, prefix, phase, side: Side::After, result: Some(&result.path) };
            self.run(&self.after, &place).await?;
            record.after_due.retain(|due| *due != phase);
            store.save(record, None).await?;
        }
        Ok(())
    }

    /// Repeats hooks that were interrupted or failed after a phase; returns the record if there were any.
    pub(super) async fn catch_up(
        &self,
        session: &Session,
        prefix: &str,
    ) -> Result<Option<RunRecord>, Failure> {
        if self.after.is_empty() {
            return Ok(None);
        }
        let Some((record, _)) = session.find(prefix).await? else { return Ok(None) };
        if self.due(&record).is_empty() {
            return Ok(None);
        }
        let work = async |lock: &Held| {
            let (mut record, mut store) = session.load(prefix).await?;
            store.set_holder(lock.holder());
            self.after(session, &mut record, &mut store).await?;
            Ok(record)
        };
        session.runs().locked(prefix, &record.run_id, work).await.map(Some)
    }

    /// Reports what a dry run leaves out. Not logged: a command may hold a password.
    pub(super) fn announce(&self, console: Console, kinds: &[PhaseKind]) {
        for (side, hooks) in [(Side::Before, &self.before), (Side::After, &self.after)] {
            for hook in hooks.iter().filter(|hook| kinds.contains(&hook.kind)) {
                console.progress(&format!(
                    "{} each {} this would run: {}",
                    side.word(),
                    hook.kind.word(),
                    hook.command
                ));
            }
        }
    }

    /// Finished phases after which a hook has yet to run.
    fn due(&self, record: &RunRecord) -> Vec<PhaseName> {
        let is_over = |name| record.phase(name).is_some_and(|phase| phase.state == PhaseState::Done);
        let due = record.after_due.iter().copied();
        due.filter(|name| of(&self.after, *name).next().is_some() && is_over(*name)).collect()
    }

    async fn run(&self, hooks: &[Hook], place: &Place<'_>) -> Result<(), Failure> {
        let Place { session, prefix, phase, side, .. } = *place;
        let at = format!("{} {phase}", side.word());
        for hook in of(hooks, phase) {
            tracing::info!(at, "hook begins");
            let ended = run(hook, place, self.hook_timeout).await;
            tracing::info!(at, succeeded = ended.is_ok(), "hook ends");
            match ended {
                Ok(()) => {}
                Err(Ended::Interrupted) => {
                    return Err(Failure::interrupted(format!(
                        "interrupted in the hook {at}; everything is saved"
                    ))
                    .hint(
                        "to continue: repeat the command with the same flags; the hook runs again from its beginning",
                    ));
                }
                Err(Ended::Failed(why)) if self.hook_failure == HookFailure::Warn => {
                    session.console.warn(&format!("the hook {at} failed: {why}"));
                }
                Err(Ended::Failed(why)) => {
                    let failure = Failure::new(format!("the hook {at} failed: {why}"));
                    let failure = match side {
                        Side::Before => failure.hint(format!("no request of {phase} was sent; repeat the command once the hook works")),
                        Side::After => failure
                            .hint("measurements are saved; repeat the command with the same flags to run the hook again")
                            .hint(format!("show them: kubectl bootstorm report --ns-prefix {prefix}")),
                    };
                    return Err(failure.hint("to continue despite a failed hook: --hook-failure warn"));
                }
            }
        }
        Ok(())
    }
}

fn of(hooks: &[Hook], phase: PhaseName) -> impl Iterator<Item = &Hook> {
    hooks.iter().filter(move |hook| hook.kind == phase.kind)
}

/// Runs a command; it is ended with all its children at the limit, and when the user interrupts.
async fn run(hook: &Hook, place: &Place<'_>, limit: Duration) -> Result<(), Ended> {
    let Place { session, prefix, phase, result, .. } = *place;
    let mut command = Command::new("sh");
    command.arg("-c").arg(&hook.command);
    command.env("BOOTSTORM_RUN", prefix).env("BOOTSTORM_PHASE", phase.to_string());
    command.env("BOOTSTORM_NAMESPACE", session.cluster.namespace());
    if let Some(result) = result {
        command.env("BOOTSTORM_RESULT", result);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let failed = |what: &str, error: std::io::Error| Ended::Failed(format!("{what}: {error}"));
    let mut started =
        Started::in_own_group(command).map_err(|error| failed("the shell cannot be run", error))?;
    let child = started.child();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let whole = async {
        let mut reading = pin!(async {
            tokio::join!(tell(session.console, stdout), tell(session.console, stderr));
        });
        let mut is_read = false;
        let status = loop {
            tokio::select! {
                status = started.wait() => break status,
                () = &mut reading, if !is_read => is_read = true,
            }
        };
        if !is_read {
            let _ = tokio::time::timeout(LAST_LINES, reading).await;
        }
        status
    };
    let mut interrupt = session.interrupt.clone();
    let ended = tokio::select! {
        biased;
        () = interrupt.wait() => return Err(Ended::Interrupted),
        ended = tokio::time::timeout(limit, whole) => ended,
    };
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(Ended::Failed(status.to_string())),
        Ok(Err(error)) => Err(failed("waiting for its end failed", error)),
        Err(_) => Err(Ended::Failed(format!(
            "it did not end within {}s and was terminated; --hook-timeout sets the limit",
            limit.as_secs_f64()
        ))),
    }
}

/// Forwards the output of a hook, line by line.
async fn tell(console: Console, pipe: Option<impl AsyncRead + Unpin>) {
    let Some(pipe) = pipe else { return };
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match (&mut pipe).take(MOST_OF_LINE).read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => console.say(&format!("hook: {}", String::from_utf8_lossy(&bytes).trim_end())),
        }
    }
}

/// The report of a phase in a file readable only by this user; deleted on drop
struct ResultFile {
    path: PathBuf,
}

impl ResultFile {
    fn of(record: &RunRecord, phase: PhaseName) -> Result<Self, Failure> {
        let unwritable = || Failure::new(format!("the report of {phase} cannot be written for its hook"));
        let selection = Selection { only: Some(phase), ..Selection::default() };
        let text = Report::of(record, &selection).json().map_err(|error| unwritable().because(error))?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let folder = std::env::temp_dir();
        let mut number = 0u32;
        loop {
            let path = folder.join(format!("bootstorm-{}-{phase}-{number}.json", record.run_id));
            match options.open(&path) {
                Ok(mut file) => {
                    let made = Self { path };
                    file.write_all(text.as_bytes()).map_err(|error| unwritable().because(error))?;
                    return Ok(made);
                }
                // Another process's file, or one left by a killed process.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && number < 1000 => number += 1,
                Err(error) => {
                    return Err(unwritable()
                        .because(format!("{}: {error}", path.display()))
                        .hint("choose another folder for temporary files with the variable TMPDIR"));
                }
            }
        }
    }
}

impl Drop for ResultFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_names_a_kind_of_phase_and_a_command() {
        let read = hook("storm=echo a=b").unwrap();
        assert_eq!((read.kind, read.command.as_str()), (PhaseKind::Storm, "echo a=b"));
        for (bad, why) in [
            ("storm", "like storm=COMMAND"),
            ("setup=x", "`setup` is not"),
            ("stop= ", "no command after stop="),
        ] {
            assert!(hook(bad).unwrap_err().contains(why), "{bad}");
        }
    }
}
