"""The server's pages: the same jobs in a browser, made by the same services as the API's answers."""
