//! Credential errors, without the plugin's output, which may contain a token.

use kube::client::AuthError;

/// Reason for missing credentials, if that is what failed.
pub(super) fn fault(error: &kube::Error) -> Option<String> {
    match error {
        kube::Error::Auth(error) => Some(describe(error)),
        kube::Error::Service(inner) => inner.downcast_ref::<AuthError>().map(describe),
        _ => None,
    }
}

fn describe(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            format!("the credential plugin of this context failed ({})", out.status)
        }
        AuthError::AuthExecParse(_) => {
            "the credential plugin of this context printed no ExecCredential".to_owned()
        }
        AuthError::ParseTokenKey(_) => "the token of this context cannot be read".to_owned(),
        AuthError::AuthExec(_) => "the credential plugin of this context did not work".to_owned(),
        AuthError::MalformedTokenExpirationDate(_) => {
            "the credential plugin of this context returned a malformed expiry time".to_owned()
        }
        // The others name files, programs and settings.
        other => other.to_string(),
    }
}
