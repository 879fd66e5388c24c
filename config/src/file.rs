//! A file, from its text to what it says.

use yaml::{Node, Reader};

use crate::config::{CONFIG_BYTES_MAX, ConfigError, ConfigMistake};

/// What `decode` makes of the document of a file, or the default of one without any. `file` names it in mistakes.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn read<T: Default>(
    file: &str,
    text: &str,
    decode: impl FnOnce(&mut Reader, &Node) -> T,
) -> Result<T, ConfigError> {
    let wrong = |mistakes| ConfigError { file: file.to_owned(), mistakes };
    if text.len() > CONFIG_BYTES_MAX {
        return Err(wrong(vec![ConfigMistake::TooLarge { bytes: text.len() }]));
    }
    let document = yaml::parse(text).map_err(|error| wrong(vec![ConfigMistake::Yaml(error)]))?;
    let mut reader = Reader::new();
    let decoded = document.root.as_ref().map(|root| decode(&mut reader, root)).unwrap_or_default();
    let ended = reader.finish();
    ended.map_err(|mistakes| wrong(mistakes.into_iter().map(ConfigMistake::Placed).collect()))?;
    Ok(decoded)
}
