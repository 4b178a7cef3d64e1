"""The search for equations: weight spaces, lifting, membership, completeness, elimination."""
