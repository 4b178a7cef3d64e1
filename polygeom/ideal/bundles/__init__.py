"""How far the equations of the image of a bundle can reach: regularity of its coordinate ring by linear algebra."""
