//! Paths without `//`, `.` and `..`.

/// The shortest path that means the same. A slash at the end stays.
pub(super) fn clean(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut cleaned = vec![b'/'];
    cleaned.extend(parts.join(&b'/'));
    if path.ends_with(b"/") && cleaned.len() > 1 {
        cleaned.push(b'/');
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaned() {
        let check = |path: &str, expect: &str| {
            assert_eq!(String::from_utf8(clean(path.as_bytes())).as_deref(), Ok(expect), "{path}");
        };
        check("/metrics/job/j", "/metrics/job/j");
        check("/metrics/job/j/", "/metrics/job/j/");
        check("/metrics/job/j//", "/metrics/job/j/");
        check("//metrics", "/metrics");
        check("/metrics/./job/j", "/metrics/job/j");
        check("/metrics/job/j/..", "/metrics/job");
        check("/../..", "/");
        check("/", "/");
        check("", "/");
    }
}
