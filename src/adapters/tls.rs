//! Which cryptography TLS uses, chosen once per process.

/// Chooses ring. Calling it again changes nothing.
pub fn install() {
    // It fails when one is chosen already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
