//! The sandbox's own certificate authority, created anew at every start.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Certificate of the server, and the authority that clients trust
pub(super) struct Identity {
    pub(super) config: Arc<ServerConfig>,
    pub(super) ca_pem: String,
    #[cfg(test)]
    server_der: Vec<u8>,
}

/// Creates an authority and a server certificate for loopback, and offers HTTP/2 beside HTTP/1.1 if that is wanted.
pub(super) fn create(http2: bool) -> Result<Identity, Error> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.distinguished_name.push(DnType::CommonName, "bootstorm-sandbox");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let authority_certificate = authority.self_signed(&authority_key)?;

    let server_key = KeyPair::generate()?;
    let mut server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Required by RFC 5280, and checked by Python from 3.13 on.
    server.use_authority_key_identifier_extension = true;
    let issuer = Issuer::new(authority, authority_key);
    let server_certificate = server.signed_by(&server_key, &issuer)?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![server_certificate.der().clone(), authority_certificate.der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = if http2 { vec![b"h2".to_vec()] } else { Vec::new() };
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(Identity {
        config: Arc::new(config),
        ca_pem: authority_certificate.pem(),
        #[cfg(test)]
        server_der: server_certificate.der().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use rustls::ServerConnection;

    use super::*;

    #[test]
    fn the_servers_certificate_names_its_authoritys_key() {
        let identity = create(true).unwrap();
        ServerConnection::new(identity.config.clone()).unwrap();
        // The authority's own key identifier, 2.5.29.14, must be repeated in 2.5.29.35 of the server's certificate.
        let body: String = identity.ca_pem.lines().filter(|line| !line.starts_with("---")).collect();
        let authority = BASE64_STANDARD.decode(body).unwrap();
        let find = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).position(|part| part == wanted);
        let at = find(&authority, &[0x55, 0x1d, 0x0e]).unwrap();
        let key = &authority[at + 7..at + 27];
        let server = &identity.server_der;
        let at = find(server, &[0x55, 0x1d, 0x23]).expect("an authority key identifier");
        assert_eq!(find(&server[at..], key).map(|place| place < 16), Some(true));
    }
}
