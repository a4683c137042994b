import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.test.config.TestR4Config;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.interceptor.RequestValidatingInterceptor;
import ca.uhn.fhir.rest.server.interceptor.SearchPreferHandlingInterceptor;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.springframework.web.context.support.AnnotationConfigWebApplicationContext;

/** HAPI FHIR's JPA server for R4 on a database in memory, open to all: prints `ready BASE` when it answers. */
public class Main {
    public static void main(String[] words) throws Exception {
        var spring = new AnnotationConfigWebApplicationContext();
        spring.register(TestR4Config.class);
        var context = new ServletContextHandler();
        context.setContextPath("/");
        spring.setServletContext(context.getServletContext());
        spring.refresh();

        var settings = spring.getBean(JpaStorageSettings.class);
        settings.setAllowContainsSearches(true);
        var rest = new RestfulServer(spring.getBean(FhirContext.class));
        rest.registerProviders(spring.getBean("myResourceProvidersR4", ResourceProviderFactory.class).createProviders());
        rest.registerProvider(spring.getBean("mySystemProviderR4"));
        rest.setPagingProvider(spring.getBean(DatabaseBackedPagingProvider.class));
        rest.setDefaultResponseEncoding(EncodingEnum.JSON);
        rest.registerInterceptor(spring.getBean(RequestValidatingInterceptor.class));
        rest.registerInterceptor(new SearchPreferHandlingInterceptor(spring.getBean(ISearchParamRegistry.class)));
        rest.setServerConformanceProvider(new JpaCapabilityStatementProvider(rest,
            spring.getBean(IFhirSystemDao.class), settings, spring.getBean(ISearchParamRegistry.class),
            spring.getBean(IValidationSupport.class)));
        context.addServlet(new ServletHolder(rest), "/fhir/*");

        var server = new Server();
        var connector = new ServerConnector(server);
        connector.setHost("127.0.0.1");
        connector.setPort(words.length > 0 ? Integer.parseInt(words[0]) : 0);
        server.addConnector(connector);
        server.setHandler(context);
        server.start();
        System.out.println("ready http://127.0.0.1:" + connector.getLocalPort() + "/fhir");
        server.join();
    }
}
