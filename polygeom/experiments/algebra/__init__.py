"""Studies that hold training against the algebra."""
