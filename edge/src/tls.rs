//! Connections over TLS as a configuration says: what is trusted, and who we are.

use std::path::Path;
use std::sync::Arc;

use config::{Tls, TlsVersion};
use hyper_rustls::{ConfigBuilderExt, FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};

use crate::proxy::Connector;
use crate::secret::{SecretError, read};

/// Why connections over TLS cannot be made as a configuration says.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or key cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The system's certificates cannot be read.
    #[error("could not read the system's certificates: {0}")]
    System(#[source] std::io::Error),
    /// What is no PEM, or holds nothing of its kind.
    #[error("{what} is no PEM: {source}")]
    Pem {
        /// Of `ca`, `cert` and `key`.
        what: &'static str,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// `ca` holds no certificate.
    #[error("ca holds no certificate")]
    NoCertificate,
    /// A name that no host has.
    #[error("server_name {0:?} is no name of a host")]
    ServerName(String),
    /// Certificate and key do not belong together, and the like.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// Makes connections as `tls` says over those of another connector. Files are relative to `folder`.
pub(crate) fn connector(
    tls: &Tls,
    folder: &Path,
    below: Connector,
) -> Result<HttpsConnector<Connector>, TlsError> {
    let builder = HttpsConnectorBuilder::new().with_tls_config(client_config(tls, folder)?).https_or_http();
    let Some(name) = &tls.server_name else { return Ok(builder.enable_http1().wrap_connector(below)) };
    let name = ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName(name.clone()))?;
    Ok(builder
        .with_server_name_resolver(FixedServerNameResolver::new(name))
        .enable_http1()
        .wrap_connector(below))
}

/// What is trusted, and who we are, as `tls` says. Files are relative to `folder`.
///
/// # Errors
/// If a certificate or key is none, or cannot be read.
pub fn client_config(tls: &Tls, folder: &Path) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&versions(tls))?;
    let builder = if tls.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else if let Some(ca) = &tls.ca {
        builder.with_root_certificates(roots(&read(ca, folder)?)?)
    } else {
        builder.with_native_roots().map_err(TlsError::System)?
    };
    Ok(match &tls.client {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let pem = |what| move |source| TlsError::Pem { what, source };
            let certificates = CertificateDer::pem_slice_iter(read(cert, folder)?.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .map_err(pem("cert"))?;
            let key = PrivateKeyDer::from_pem_slice(read(key, folder)?.as_bytes()).map_err(pem("key"))?;
            builder.with_client_auth_cert(certificates, key)?
        }
    })
}

fn versions(tls: &Tls) -> Vec<&'static SupportedProtocolVersion> {
    let all = [(TlsVersion::Tls12, &rustls::version::TLS12), (TlsVersion::Tls13, &rustls::version::TLS13)];
    let allowed = |version: TlsVersion| {
        tls.min_version.is_none_or(|min| min <= version) && tls.max_version.is_none_or(|max| version <= max)
    };
    all.into_iter().filter(|(version, _)| allowed(*version)).map(|(_, version)| version).collect()
}

fn roots(pem: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.map_err(|source| TlsError::Pem { what: "ca", source })?)?;
    }
    if roots.is_empty() { Err(TlsError::NoCertificate) } else { Ok(roots) }
}

/// `insecure_skip_verify`: whoever answers is trusted, as long as it holds the key of its certificate.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
