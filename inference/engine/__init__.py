"""The engine process: it alone holds a model, and answers on a unix socket. Imports no Django."""
