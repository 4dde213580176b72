//! The real binary as a process, in an environment with nothing of the machine's user.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How to run the program
pub(crate) struct Program {
    home: PathBuf,
    env: Vec<(String, String)>,
}

/// The result of a run of the program
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Program {
    pub(crate) fn new(home: &Path) -> Self {
        Self { home: home.to_path_buf(), env: Vec::new() }
    }

    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = with_default_signals();
        command
            .arg(env!("CARGO_BIN_EXE_kubectl-bootstorm"))
            .args(args)
            .env_clear()
            .env("HOME", &self.home)
            .env("TMPDIR", &self.home)
            .env("PATH", "/usr/bin:/bin")
            .env("COLUMNS", "100")
            .env("USER", "tester")
            // Most tests read the guide's rows; those of the summary ask for it.
            .env("BOOTSTORM_OUTPUT", "guide")
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.spawn(args))
    }
}

/// Undoes the ignored signals that `nohup` and background jobs of scripts leave behind.
#[cfg(target_os = "linux")]
fn with_default_signals() -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal=HUP,INT,TERM");
    command
}

#[cfg(not(target_os = "linux"))]
fn with_default_signals() -> Command {
    Command::new("/usr/bin/env")
}

impl Ran {
    /// Waits for a child.
    pub(crate) fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Asserts an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts texts on stderr.
    #[track_caller]
    pub(crate) fn complains(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` in:\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Asserts texts on stdout.
    #[track_caller]
    pub(crate) fn prints(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stdout.contains(word), "no `{word}` in:\n{}", self.stdout);
        }
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> bootstorm_sandbox::value::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", self.stdout))
    }
}
