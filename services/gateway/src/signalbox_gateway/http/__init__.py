"""HTTP below the endpoints: problems, validation, middleware, CORS, server. Knows no authentication."""
