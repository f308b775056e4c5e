"""The Parquet tables on S3: rows in, queries of athena/queries out, on any engine."""
