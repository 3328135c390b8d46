//! Tests of records as wholes.
