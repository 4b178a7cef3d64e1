"""Readers of other systems' texts, one a file: what each declares and prints, over one grammar of polynomials."""
