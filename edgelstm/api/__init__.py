"""The Python API: estimators in scikit-learn's words, converted models, and models at work; names are in `edgelstm` itself."""
