#!/bin/sh
# A loader of a site's own: files by sender and database, everything else beside them.
base=$1 tab=$(printf '\t') nl=$(printf '\n.')
nl=${nl%.} answers='' refused=$nl

field() { # NAME: what $line says of it
	case $tab$line in *"$tab$1="*) ;; *) return 0 ;; esac
	value=$tab$line value=${value#*"$tab$1="}
	printf '%b' "${value%%"$tab"*}"
}
apply() { # done twice is done once
	dir=$base/$domain path=$(field path) mods=$(field mods)
	name=$(field kind)-$(field serial)-$(field digest)
	[ "$(field kind)" != FILE ] || name=$(field space)-$(field region)-$(field partition)-$(field name).tsfile
	mkdir -p "$dir" && printf '%s\n' "$line" >"$dir/$name.job" || return
	if [ "$mods" ]; then cp -f "$mods" "$dir/$name.mods"; else rm -f "$dir/$name.mods"; fi || return
	[ -z "$path" ] || { cp -f "$path" "$dir/.new" && mv -f "$dir/.new" "$dir/$name"; }
}
while IFS= read -r line; do
	domain=$(field sender)/$(field database) result=held
	case $line$refused in
	end$nl*) # durable first, answered second
		mkdir -p "$base" && sync -f "$base" && printf '%send\n' "$answers" || exit 1
		answers='' refused=$nl && continue ;;
	*"$nl$domain$nl"*) ;; # order within a database is strict
	*) apply && result=applied || result="retry${tab}text=cannot write below $base" ;;
	esac
	[ "$result" = applied ] || refused=$refused$domain$nl
	answers="$answers${line%%"$tab"*}${tab}result=$result$nl"
done
