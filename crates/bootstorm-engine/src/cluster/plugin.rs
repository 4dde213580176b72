//! The exec credential plugin of a kubeconfig: run once, with a time limit, and never left behind.
//!
//! The library would run it itself, synchronously, without a limit, and several times for one connection. The protocol
//! is that of `client.authentication.k8s.io`: a request in `KUBERNETES_EXEC_INFO`, an `ExecCredential` on stdout.

use std::io::IsTerminal;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::children::Started;
use bootstorm_model::failure::Failure;
use bootstorm_model::text::line;

/// Default time limit of a plugin, unless requests have a limit of their own.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// Time limit of a plugin that may prompt the user: a login in a browser takes minutes.
const LIMIT_OF_DIALOG: Duration = Duration::from_secs(300);
/// Interval between reports that a plugin is still running.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Maximum size of an answer: a certificate chain has some kilobytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// How to run a plugin
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    /// Time limit of a request, and of a plugin that cannot prompt.
    pub(super) request_timeout: Option<Duration>,
    /// Receives reports that a plugin is still running.
    pub(super) tell: fn(&str),
}

/// Whether the library would get credentials from the exec plugin, since nothing else takes precedence.
pub(super) fn is_used(auth: &AuthInfo) -> bool {
    let has_password = auth.username.is_some() && auth.password.is_some();
    let has_token = auth.token.is_some() || auth.token_file.is_some();
    auth.exec.is_some() && auth.auth_provider.is_none() && !has_password && !has_token
}

/// Runs the plugin and stores its credentials; returns their expiry, if the plugin sets one.
///
/// Fails if it is missing, fails, takes too long, or prints something else.
pub(super) async fn settle(auth: &mut AuthInfo, running: Running) -> Result<Option<Timestamp>, Failure> {
    let Some(exec) = auth.exec.take() else { return Ok(None) };
    let command = exec.command.clone().unwrap_or_default();
    let name = line(&command).into_owned();
    let status = run(&exec, &name, running).await?;
    let Credential { status: Some(given) } =
        read(&status).ok_or_else(|| odd(&name, "printed no ExecCredential"))?
    else {
        return Err(odd(&name, "printed an ExecCredential without a status"));
    };
    let until = given.expiration_timestamp.map(|text| text.parse::<Timestamp>()).transpose();
    let until = until.map_err(|_| odd(&name, "returned a malformed expiry time"))?;
    let encoded = |text: String| STANDARD.encode(text);
    match (given.token, given.client_certificate_data, given.client_key_data) {
        (token, Some(certificate), Some(key)) => {
            auth.token = token.map(SecretString::from);
            auth.client_certificate_data = Some(encoded(certificate));
            auth.client_key_data = Some(SecretString::from(encoded(key)));
        }
        (Some(token), ..) => auth.token = Some(SecretString::from(token)),
        _ => return Err(odd(&name, "returned neither a token nor a certificate with its key")),
    }
    Ok(until)
}

/// Output of a plugin
#[derive(Deserialize)]
struct Credential {
    status: Option<Given>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    token: Option<String>,
    expiration_timestamp: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// JSON, or YAML, which kubectl accepts too.
fn read(stdout: &[u8]) -> Option<Credential> {
    serde_json::from_slice(stdout).ok().or_else(|| serde_saphyr::from_slice(stdout).ok())
}

async fn run(exec: &ExecConfig, name: &str, running: Running) -> Result<Vec<u8>, Failure> {
    let mode = exec.interactive_mode.clone().unwrap_or(ExecInteractiveMode::IfAvailable);
    let has_terminal = std::io::stdin().is_terminal();
    if mode == ExecInteractiveMode::Always && !has_terminal {
        return Err(odd(name, "needs a terminal, and standard input is none"));
    }
    let is_dialog = has_terminal && mode != ExecInteractiveMode::Never;
    let limit = if is_dialog { LIMIT_OF_DIALOG } else { running.request_timeout.unwrap_or(LIMIT) };
    // A plugin that prompts the user stays in the foreground.
    let start = if is_dialog { Started::in_foreground } else { Started::in_own_group };
    let mut child = start(command(exec, &mode, is_dialog)).map_err(|error| {
        if error.kind() != std::io::ErrorKind::NotFound {
            return odd(name, &format!("cannot be run: {error}"));
        }
        let failure = unusable().because(format!("the credential plugin {name} is not installed"));
        match exec.install_hint.as_deref().map(str::trim).filter(|hint| !hint.is_empty()) {
            Some(hint) => hint.lines().fold(failure, Failure::hint),
            None => failure.hint("install it, or choose another context with --context NAME"),
        }
    })?;
    let waiting = async {
        let mut seconds = 0;
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            seconds += TELL_EVERY.as_secs();
            (running.tell)(&format!("waiting for the credential plugin {name} for {seconds}s"));
        }
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(limit, output(&mut child)) => ended,
        () = waiting => return Err(odd(name, "was not waited for")),
    };
    match ended {
        Ok(Ok((status, stdout))) if status.success() => Ok(stdout),
        Ok(Ok((status, _))) => Err(odd(name, &format!("failed ({status})"))),
        Ok(Err(error)) => Err(odd(name, &format!("cannot be read: {error}"))),
        Err(_) => {
            let flag = if is_dialog { "" } else { "; --request-timeout sets the limit" };
            Err(odd(
                name,
                &format!("did not answer within {}s and was terminated{flag}", limit.as_secs_f64()),
            ))
        }
    }
}

fn command(exec: &ExecConfig, mode: &ExecInteractiveMode, is_dialog: bool) -> Command {
    let mut command = Command::new(exec.command.as_deref().unwrap_or_default());
    command.args(exec.args.iter().flatten());
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    let mut spec = json!({"interactive": is_dialog});
    if let Some(cluster) = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info) {
        spec["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
    }
    let request = json!({"kind": "ExecCredential", "apiVersion": exec.api_version, "spec": spec});
    command.env("KUBERNETES_EXEC_INFO", request.to_string());
    // Our standard input belongs to us, unless it is a terminal.
    command.stdin(if is_dialog { Stdio::inherit() } else { Stdio::null() });
    let is_silent = *mode == ExecInteractiveMode::Never;
    command.stderr(if is_silent { Stdio::null() } else { Stdio::inherit() });
    command.stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// Waits for the end of a plugin, and returns its output.
async fn output(started: &mut Started) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    let mut stdout = Vec::new();
    if let Some(pipe) = started.child().stdout.take() {
        pipe.take(MOST_BYTES).read_to_end(&mut stdout).await?;
    }
    Ok((started.wait().await?, stdout))
}

fn unusable() -> Failure {
    Failure::new("the credentials of this context cannot be used")
}

/// Describes a plugin error without its output, which may contain a token.
fn odd(name: &str, what: &str) -> Failure {
    unusable().because(format!("the credential plugin {name} {what}")).hint("check with: kubectl auth whoami")
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::Mutex;

    use super::*;

    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

    fn auth(script: &str) -> AuthInfo {
        let exec = ExecConfig {
            command: Some("sh".into()),
            args: Some(vec!["-c".into(), script.into()]),
            interactive_mode: Some(ExecInteractiveMode::Never),
            ..ExecConfig::default()
        };
        AuthInfo { exec: Some(exec), ..AuthInfo::default() }
    }

    const QUIET: Running = Running { request_timeout: None, tell: |_| {} };

    #[tokio::test(start_paused = true)]
    async fn a_plugin_that_hangs_is_reported_and_ended() {
        let tell = |text: &str| TOLD.lock().unwrap().push(text.to_owned());
        let began = tokio::time::Instant::now();
        let running = Running { tell, ..QUIET };
        let failure = settle(&mut auth("sleep 600"), running).await.unwrap_err();
        assert_eq!(began.elapsed().as_secs(), 60);
        assert!(failure.to_string().contains("plugin sh did not answer within 60s"), "{failure}");
        assert_eq!(
            TOLD.lock().unwrap()[..2],
            ["waiting for the credential plugin sh for 10s", "waiting for the credential plugin sh for 20s"]
        );
    }

    #[tokio::test]
    async fn what_it_gives_takes_its_place() {
        let mut token =
            auth(r#"echo '{"status": {"token": "t", "expirationTimestamp": "2030-01-01T00:00:00Z"}}'"#);
        let until = settle(&mut token, QUIET).await.unwrap().unwrap();
        assert_eq!(until.to_string(), "2030-01-01T00:00:00Z");
        assert!(token.token.is_some() && token.exec.is_none());
        let mut pair = auth("printf 'status:\n  clientCertificateData: c\n  clientKeyData: k\n'");
        assert_eq!(settle(&mut pair, QUIET).await.unwrap(), None);
        assert_eq!(pair.client_certificate_data.as_deref(), Some("Yw=="));
        for (script, what) in [
            ("echo no", "printed no ExecCredential"),
            ("exit 3", "failed (exit status: 3)"),
            ("echo '{\"status\": {}}'", "returned neither a token nor a certificate"),
        ] {
            let failure = settle(&mut auth(script), QUIET).await.unwrap_err().to_string();
            assert!(failure.contains(what), "{failure}");
        }
    }

    #[test]
    fn other_credentials_come_first() {
        let exec = auth("true");
        assert!(is_used(&exec));
        assert!(!is_used(&AuthInfo { token_file: Some("/f".into()), ..exec.clone() }));
        assert!(!is_used(&AuthInfo { exec: None, ..exec }));
    }
}
