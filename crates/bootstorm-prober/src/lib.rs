//! The program that probes guests from inside a pod, ready to be sent to the pod.
//!
//! One static Linux executable per node architecture, independent of a C library or tools in the image. It reads
//! targets on standard input and reports on standard output when each one answers, in the protocol of
//! `bootstorm_model::probe`. Releases contain all of them; a build on a machine that lacks a compiler target has fewer,
//! or none.

/// The program, built for one architecture
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Architecture, as reported by `uname -m`.
    pub machine: &'static str,
    /// Size of the executable in bytes.
    pub size: usize,
    packed: &'static [u8],
}

#[cfg(feature = "embed")]
#[allow(clippy::unreadable_literal, reason = "written by the build script")]
static PROGRAMS: &[Program] = include!(concat!(env!("OUT_DIR"), "/programs.rs"));
#[cfg(not(feature = "embed"))]
static PROGRAMS: &[Program] = &[];

impl Program {
    /// All programs in this build.
    pub fn all() -> &'static [Self] {
        PROGRAMS
    }

    /// The program for a machine, by its `uname -m`.
    pub fn of(machine: &str) -> Option<&'static Self> {
        // A 64-bit container on a 64-bit kernel may still use the vendor's name.
        let machine = match machine {
            "amd64" => "x86_64",
            "arm64" => "aarch64",
            other => other,
        };
        PROGRAMS.iter().find(|program| program.machine == machine)
    }

    /// The executable.
    #[cfg(feature = "embed")]
    pub fn bytes(&self) -> Vec<u8> {
        use std::io::Read;
        let mut bytes = Vec::with_capacity(self.size);
        let read = flate2::read::GzDecoder::new(self.packed).read_to_end(&mut bytes);
        // Packed by the build script, so it can be unpacked.
        debug_assert!(read.is_ok());
        bytes
    }

    /// The executable.
    #[cfg(not(feature = "embed"))]
    pub fn bytes(&self) -> Vec<u8> {
        self.packed.to_vec()
    }
}

/// Distinguishes these programs from those of other builds; valid in file names.
pub fn tag() -> String {
    // FNV-1a: a name, not a proof.
    let bytes = PROGRAMS.iter().flat_map(|program| program.packed);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_is_an_executable_of_its_architecture() {
        for program in Program::all() {
            let bytes = program.bytes();
            assert_eq!(bytes.len(), program.size);
            assert_eq!(&bytes[..4], b"\x7fELF");
            let machine = u16::from_le_bytes([bytes[18], bytes[19]]);
            assert_eq!(machine, if program.machine == "x86_64" { 62 } else { 183 }, "{}", program.machine);
        }
        assert!(Program::of("s390x").is_none());
        assert_eq!(tag().len(), 16);
    }
}
