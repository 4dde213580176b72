//! A very small shell, and its built-in commands.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::container::Container;
use super::image::Tools;
use super::io::Channel;
use super::lines::Lines;
use super::script::{Joint, Step, parse};
use super::{Io, NOT_FOUND, netcat, ping};

/// Commands of every image with a shell.
const COMMON: [&str; 9] = ["true", "false", ":", "echo", "sleep", "cat", "command", "which", "exit"];

/// How a command ended
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// With this code.
    With(i32),
    /// With this code, which also ends the shell.
    Leave(i32),
}

impl Ended {
    /// The exit code.
    pub(super) fn code(self) -> i32 {
        match self {
            Self::With(code) | Self::Leave(code) => code,
        }
    }
}

/// Whether a command of this name exists.
pub(super) fn exists(name: &str, tools: Tools) -> bool {
    match name.rsplit('/').next().unwrap_or_default() {
        "ping" | "ping6" => tools.ping.is_some(),
        "nc" => tools.nc,
        "sh" => tools.shell,
        other => COMMON.contains(&other),
    }
}

/// Runs a script.
pub(super) async fn script(text: &str, container: &mut Container, io: &mut Io) -> Ended {
    let mut last = 0;
    for step in parse(text) {
        let due = match step.joint {
            Joint::Always => true,
            Joint::IfGood => last == 0,
            Joint::IfBad => last != 0,
        };
        if !due {
            continue;
        }
        match redirected(&step, container, io).await {
            Ended::With(code) => last = code,
            leave @ Ended::Leave(_) => return leave,
        }
    }
    Ended::With(last)
}

/// Runs commands from standard input, line by line.
pub(super) async fn session(container: &mut Container, io: &mut Io) -> i32 {
    let mut lines = Lines::default();
    let mut last = 0;
    while let Some(line) = lines.next(&mut io.stdin).await {
        match script(&line, container, io).await {
            Ended::With(code) => last = code,
            Ended::Leave(code) => return code,
        }
    }
    last
}

/// Runs one command of a script, with its redirections.
async fn redirected(step: &Step, container: &mut Container, io: &mut Io) -> Ended {
    let words: Vec<&str> = step.words.iter().map(String::as_str).collect();
    if !step.mute && !step.deaf {
        return command(&words, container, io).await;
    }
    let (output, mut written) = mpsc::channel::<(Channel, Bytes)>(16);
    let outer = std::mem::replace(&mut io.output, output);
    let ended = {
        let run = command(&words, container, io);
        tokio::pin!(run);
        loop {
            tokio::select! {
                biased;
                Some((channel, bytes)) = written.recv() => {
                    let lost = if channel == Channel::Out { step.mute } else { step.deaf };
                    if !lost {
                        let _ = outer.send((channel, bytes)).await;
                    }
                }
                ended = &mut run => break ended,
            }
        }
    };
    while let Ok((channel, bytes)) = written.try_recv() {
        if !(if channel == Channel::Out { step.mute } else { step.deaf }) {
            let _ = outer.send((channel, bytes)).await;
        }
    }
    io.output = outer;
    ended
}

/// Runs one command.
pub(super) async fn command(words: &[&str], container: &mut Container, io: &mut Io) -> Ended {
    let words = if words.first() == Some(&"exec") { &words[1..] } else { words };
    let Some((path, arguments)) = words.split_first() else { return Ended::With(0) };
    let name = path.rsplit('/').next().unwrap_or_default();
    if !exists(name, container.tools) {
        io.complain(&format!("sh: {path}: not found\n")).await;
        return Ended::With(NOT_FOUND);
    }
    Ended::With(match name {
        "false" => 1,
        "exit" => {
            return Ended::Leave(arguments.first().and_then(|code| code.parse().ok()).unwrap_or(0));
        }
        "echo" => {
            let (end, arguments) =
                if arguments.first() == Some(&"-n") { ("", &arguments[1..]) } else { ("\n", arguments) };
            io.print(&format!("{}{end}", arguments.join(" "))).await;
            0
        }
        "sleep" => sleep(arguments, io).await,
        "cat" => {
            while let Some(piece) = io.stdin.recv().await {
                io.write(Channel::Out, piece).await;
            }
            0
        }
        "command" | "which" => {
            let Some(wanted) = arguments.iter().find(|word| !word.starts_with('-')) else {
                return Ended::With(0);
            };
            if !exists(wanted, container.tools) {
                return Ended::With(if name == "which" { 1 } else { NOT_FOUND });
            }
            io.print(&format!("/bin/{wanted}\n")).await;
            0
        }
        "ping" | "ping6" => ping::run(arguments, container, io).await,
        "nc" => netcat::run(arguments, container, io).await,
        _ => 0,
    })
}

async fn sleep(arguments: &[&str], io: &Io) -> i32 {
    let text = arguments.first().copied().unwrap_or_default();
    if matches!(text, "infinity" | "inf") {
        std::future::pending::<()>().await;
    }
    match super::ping::seconds(text.trim_end_matches('s')) {
        Some(seconds) => {
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            0
        }
        None => {
            io.complain(&format!("sleep: invalid number '{text}'\n")).await;
            1
        }
    }
}
