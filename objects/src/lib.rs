//! Object stores behind one trait: a local folder, and S3 on aws-sdk-s3.
