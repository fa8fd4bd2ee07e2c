"""The documents of the API: OpenAPI 3.1, 3.0.3 and Swagger 2.0, AsyncAPI."""
