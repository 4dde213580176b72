//! The tarball of kube-burner's local indexer (`createTarball`, `kube-burner-metrics.tgz`): its files, packed by Go's
//! `archive/tar` and gzip (`pkg/util/metrics/tarball.go` of v2.7.3).

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;

use super::is_read;
use crate::read::{MOST_BYTES, Unreadable};

/// Size of a header, to which contents are padded.
const BLOCK: usize = 512;
/// Fields of a header (POSIX.1-1988, `ustar`): offset and length.
const NAME: (usize, usize) = (0, 100);
const SIZE: (usize, usize) = (124, 12);
const KIND: usize = 156;

/// The relevant files of a tarball, by name; `None` if it is not a tarball of kube-burner.
///
/// Fails if it is damaged, or exceeds the maximum size of a file.
pub(in crate::read) fn files(bytes: &[u8]) -> Result<Option<BTreeMap<String, Vec<u8>>>, Unreadable> {
    let mut unpacked = Vec::new();
    let cut = |error: &dyn std::fmt::Display| Unreadable::CutOff(super::super::told(&error.to_string()));
    let read = GzDecoder::new(bytes).take(MOST_BYTES + 1).read_to_end(&mut unpacked);
    let is_tar = unpacked.get(..BLOCK).is_some_and(|header| number(field(header, SIZE)).is_some());
    if !is_tar {
        return Ok(None);
    }
    read.map_err(|error| cut(&error))?;
    if unpacked.len() as u64 > MOST_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let mut files = BTreeMap::new();
    let mut rest = unpacked.as_slice();
    while let Some((header, after)) = rest.split_at_checked(BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let Some(size) = number(field(header, SIZE)) else { return Ok(None) };
        let Some((content, _)) = after.split_at_checked(size) else {
            return Err(cut(&"a file in it ends early"));
        };
        let name = String::from_utf8_lossy(field(header, NAME)).into_owned();
        let name = name.rsplit('/').next().unwrap_or(&name).to_owned();
        if matches!(header[KIND], b'0' | 0) && is_read(&name) {
            files.insert(name, content.to_vec());
        }
        let filled = size.div_ceil(BLOCK).saturating_mul(BLOCK);
        rest = after.get(filled..).unwrap_or_default();
    }
    Ok(Some(files).filter(|files| !files.is_empty()))
}

/// A field up to its first zero.
fn field(header: &[u8], (from, length): (usize, usize)) -> &[u8] {
    let field = header.get(from..from + length).unwrap_or_default();
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// An octal number.
fn number(field: &[u8]) -> Option<usize> {
    usize::from_str_radix(std::str::from_utf8(field).ok()?.trim(), 8).ok()
}
