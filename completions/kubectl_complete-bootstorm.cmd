@rem kubectl runs this to complete: kubectl bootstorm TAB
@kubectl-bootstorm.exe __complete %*
