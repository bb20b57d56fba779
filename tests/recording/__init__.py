"""Minutes, captures and files together: real media workers, real SQL."""
