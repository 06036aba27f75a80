// Command generate writes the test vectors of package recording into a folder.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/ringfence/ringfence/recording/internal/vectors"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: generate FOLDER")
	}
	for _, a := range vectors.All {
		if err := os.WriteFile(filepath.Join(os.Args[1], a.Name+".vec"), vectors.File(a), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
