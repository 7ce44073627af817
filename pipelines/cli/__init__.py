"""The console command `lockgate`: one file a verb. Printing and exit codes live here only."""
