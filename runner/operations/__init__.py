"""One verb a file: values in, a value out. An operation neither prints nor exits."""
