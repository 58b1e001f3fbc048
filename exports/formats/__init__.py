"""What a file looks like: one file for each format. A book takes the tables of an export one after the other."""

from exports.formats.book import Book
from exports.formats.csv import CsvBook
from exports.formats.json import JsonBook
from exports.formats.parquet import ParquetBook
from exports.formats.xlsx import XlsxBook

FORMATS: dict[str, type[Book]] = {"csv": CsvBook, "xlsx": XlsxBook, "parquet": ParquetBook, "json": JsonBook}

__all__ = ["FORMATS", "Book"]
