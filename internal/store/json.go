package store

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A query that returns rows of a second table beside a row of the first one
// aggregates them as JSON. The two databases have equal functions for it under
// different names; such a query is written once, as a function of these.
type jsonSQL struct{ array, object string }

var (
	sqliteJSON   = jsonSQL{array: "json_group_array", object: "json_object"}
	postgresJSON = jsonSQL{array: "json_agg", object: "json_build_object"}
)

// rows is the expression for the aggregated rows as a JSON array of objects, in an
// order. A member of the objects has its column's name, without the table's. It is
// text, so that it can be compared, and [] where there are no rows.
func (j jsonSQL) rows(order string, columns ...string) string {
	var members []string
	for _, column := range columns {
		_, name, _ := strings.Cut(column, ".")
		members = append(members, "'"+name+"', "+column)
	}
	return j.aggregate(j.object+"("+strings.Join(members, ", ")+")", order)
}

// objects is like rows, for members that are expressions under names of their own.
func (j jsonSQL) objects(order string, members ...[2]string) string {
	var pairs []string
	for _, m := range members {
		pairs = append(pairs, "'"+m[0]+"', "+m[1])
	}
	return j.aggregate(j.object+"("+strings.Join(pairs, ", ")+")", order)
}

// values is the expression for the aggregated values of a column as a JSON array,
// in an order.
func (j jsonSQL) values(order, column string) string { return j.aggregate(column, order) }

func (j jsonSQL) aggregate(value, order string) string {
	return "COALESCE(CAST(" + j.array + "(" + value + " ORDER BY " + order + ") AS TEXT), '[]')"
}

// queryTexts are the texts of one query for the two databases.
type queryTexts struct{ sqlite, postgres string }

func bothTexts(write func(j jsonSQL) string) queryTexts {
	return queryTexts{sqlite: write(sqliteJSON), postgres: write(postgresJSON)}
}

// fromJSON scans a column of JSON into what to points to.
type fromJSON struct{ to any }

func (f fromJSON) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return json.Unmarshal([]byte(v), f.to)
	case []byte:
		return json.Unmarshal(v, f.to)
	}
	return fmt.Errorf("store: %T is no JSON", src)
}
