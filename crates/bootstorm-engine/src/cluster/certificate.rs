//! Error texts and hints for certificates and keys.

/// A limitation or an error of the TLS library
struct Complaint {
    /// Words in the library's message.
    words: &'static [&'static str],
    message: &'static str,
    hint: &'static str,
}

const COMPLAINTS: [Complaint; 8] = [
    Complaint {
        words: &["CaUsedAsEndEntity"],
        message: "the server's certificate is marked as an authority's (CA:TRUE), which the TLS library \
            (rustls) does not accept from a server; kubectl does",
        hint: "give the server a certificate without CA:TRUE, or pass --insecure-skip-tls-verify",
    },
    Complaint {
        words: &["UnsupportedSignatureAlgorithm", "SignatureAlgorithmForPublicKey"],
        message: "the server's certificate is signed with an algorithm that the TLS library (rustls with \
            ring) does not support, such as ECDSA with P-521 or SHA-1",
        hint: "give the server a certificate of RSA, P-256, P-384 or Ed25519, or pass --insecure-skip-tls-verify",
    },
    Complaint {
        words: &["UnsupportedCertVersion"],
        message: "the server's certificate is of X.509 version 1, which the TLS library (rustls) does not \
            accept",
        hint: "give the server a certificate of version 3, with its names, or pass --insecure-skip-tls-verify",
    },
    Complaint {
        words: &["failed to parse private key", "unsupported private key", "InvalidEncoding"],
        message: "the TLS library (rustls with ring) cannot use the client key of this context: it is \
            damaged, or of an unsupported kind, such as P-521",
        hint: "use a key of RSA, P-256, P-384 or Ed25519, or log in with a token",
    },
    Complaint {
        words: &["certificate not valid for name", "NotValidForName"],
        message: "",
        hint: "pass the name that the certificate has: --tls-server-name NAME",
    },
    Complaint {
        words: &["certificate expired", "Expired"],
        message: "",
        hint: "check the clock of this machine; otherwise the server's certificate has to be renewed",
    },
    Complaint {
        words: &["certificate not valid yet", "NotValidYet"],
        message: "",
        hint: "check the clock of this machine",
    },
    Complaint {
        words: &[
            "HandshakeFailure",
            "NoCipherSuitesInCommon",
            "NoKxGroupsInCommon",
            "ServerDoesNotSupportTls12Or13",
        ],
        message: "the server and the TLS library (rustls with ring) have no algorithms in common, as with a \
            server whose key is P-521",
        hint: "configure the server for TLS 1.2 or 1.3 with a key of RSA, P-256, P-384 or Ed25519, or pass \
            --insecure-skip-tls-verify",
    },
];

fn find(text: &str) -> Option<&'static Complaint> {
    COMPLAINTS.iter().find(|complaint| {
        let is_said = !complaint.message.is_empty() && text == complaint.message;
        is_said || complaint.words.iter().any(|words| text.contains(words))
    })
}

/// Replacement for the library's message.
pub(super) fn message(text: &str) -> Option<&'static str> {
    find(text).map(|complaint| complaint.message).filter(|message| !message.is_empty())
}

/// Hint for a certificate error.
pub(super) fn hint(text: &str) -> &'static str {
    let default = "check certificate-authority of this context, or pass --certificate-authority";
    find(text).map_or(default, |complaint| complaint.hint)
}
