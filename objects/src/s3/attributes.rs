//! Attributes of objects ↔ headers.

use std::collections::HashMap;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use object_store::{Attribute, Attributes};

use super::put_id::PUT_ID_KEY;

/// The headers that S3 keeps with an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Headers {
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) metadata: HashMap<String, String>,
}

impl Headers {
    /// The headers for these attributes, or the name of one that S3 does not keep.
    pub(super) fn new(attributes: &Attributes) -> Result<Self, String> {
        let mut headers = Self::default();
        for (attribute, value) in attributes {
            let value = value.to_string();
            match attribute {
                Attribute::CacheControl => headers.cache_control = Some(value),
                Attribute::ContentDisposition => headers.content_disposition = Some(value),
                Attribute::ContentEncoding => headers.content_encoding = Some(value),
                Attribute::ContentLanguage => headers.content_language = Some(value),
                Attribute::ContentType => headers.content_type = Some(value),
                Attribute::Metadata(name) => {
                    headers.metadata.insert(name.to_string(), value);
                }
                other => return Err(format!("{other:?}")),
            }
        }
        Ok(headers)
    }

    /// The attributes for these headers, without the id of the put.
    pub(super) fn into_attributes(self) -> Attributes {
        let named = [
            (Attribute::CacheControl, self.cache_control),
            (Attribute::ContentDisposition, self.content_disposition),
            (Attribute::ContentEncoding, self.content_encoding),
            (Attribute::ContentLanguage, self.content_language),
            (Attribute::ContentType, self.content_type),
        ];
        let named = named.into_iter().filter_map(|(attribute, value)| Some((attribute, value?)));
        let metadata = self.metadata.into_iter().filter(|(name, _)| name != PUT_ID_KEY);
        let metadata = metadata.map(|(name, value)| (Attribute::Metadata(name.into()), value));
        named.chain(metadata).collect()
    }
}

impl From<&HeadObjectOutput> for Headers {
    fn from(head: &HeadObjectOutput) -> Self {
        Self {
            cache_control: head.cache_control.clone(),
            content_disposition: head.content_disposition.clone(),
            content_encoding: head.content_encoding.clone(),
            content_language: head.content_language.clone(),
            content_type: head.content_type.clone(),
            metadata: head.metadata.clone().unwrap_or_default(),
        }
    }
}

impl From<&GetObjectOutput> for Headers {
    fn from(get: &GetObjectOutput) -> Self {
        Self {
            cache_control: get.cache_control.clone(),
            content_disposition: get.content_disposition.clone(),
            content_encoding: get.content_encoding.clone(),
            content_language: get.content_language.clone(),
            content_type: get.content_type.clone(),
            metadata: get.metadata.clone().unwrap_or_default(),
        }
    }
}
